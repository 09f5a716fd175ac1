// Drives kafka-connect-client through a connector's whole life. Standard input: JSON, [port, file, topic]. Prints one JSON object.
const { KafkaConnectClient } = require("kafka-connect-client");

const [port, file, topic] = JSON.parse(require("fs").readFileSync(0, "utf8"));
const client = new KafkaConnectClient({ protocol: "http", host: "127.0.0.1", port: Number(port) });
const name = "from-npm";
const connector = client.connector(name);
const config = { "connector.class": "FileStreamSource", file, topic, "tasks.max": "1" };

async function until(what, ask, wanted) {
  for (let turn = 0; turn < 600; turn++) {
    try {
      const answer = await ask();
      if (wanted(answer.data)) return answer.data;
    } catch (error) {
      if (!error.response || error.response.status !== 404) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`not within a minute: ${what}`);
}

const inState = (state) => (status) =>
  status.connector.state === state && status.tasks.length === 1 && status.tasks.every((task) => task.state === state);

async function refused(call) {
  try {
    await call();
  } catch (error) {
    return { status: error.response.status, ...error.response.data };
  }
  throw new Error("was not refused");
}

async function main() {
  const seen = {};
  seen.cluster = (await client.getCluster()).data;
  seen.plugins = (await client.getConnectorPlugins({ connectorsOnly: false })).data.length;
  seen.connectorPlugins = (await client.getConnectorPlugins({ connectorsOnly: true })).data.length;
  const valid = (await client.validateConnectorConfig("FileStreamSource", { ...config, name })).data;
  seen.valid = { name: valid.name, errors: valid.error_count };
  seen.invalid = (await client.validateConnectorConfig("FileStreamSource", { ...config, name, "tasks.max": "none" })).data.error_count;
  const created = await client.createConnector(name, config);
  seen.created = { status: created.status, location: new URL(created.headers.location).pathname, body: created.data };
  seen.again = await refused(() => client.createConnector(name, config));
  await until("running", () => connector.getStatus(), inState("RUNNING"));
  seen.names = (await client.getConnectors()).data;
  seen.info = (await connector.get()).data;
  seen.config = (await connector.getConfig()).data;
  seen.tasks = (await connector.getTasks()).data;
  seen.task = (await connector.getTaskStatus(0)).data;
  seen.paused = (await connector.pause()).status;
  await until("paused", () => connector.getStatus(), inState("PAUSED"));
  seen.resumed = (await connector.resume()).status;
  await until("resumed", () => connector.getStatus(), inState("RUNNING"));
  seen.restarted = (await connector.restart({ includeTasks: true, onlyFailed: false })).status;
  seen.taskRestarted = (await connector.restartTask(0)).status;
  await until("running again", () => connector.getStatus(), inState("RUNNING"));
  seen.updated = (await connector.updateConfig({ ...config, "batch.size": "17" })).status;
  await until("offsets", () => connector.getOffsets(), (answer) => answer.offsets.length === 1);
  seen.stopped = (await connector.stop()).status;
  await until("stopped", () => connector.getStatus(), (status) => status.connector.state === "STOPPED" && status.tasks.length === 0);
  seen.altered = (await connector.alterOffsets([{ partition: { filename: file }, offset: { position: 4 } }])).data;
  seen.offsets = (await connector.getOffsets()).data;
  seen.reset = (await connector.resetOffsets()).data;
  seen.topicsReset = (await connector.resetTopics()).status;
  seen.deleted = (await connector.delete()).status;
  seen.gone = await refused(() => connector.get());
  seen.left = (await client.getConnectors()).data;
  console.log(JSON.stringify(seen));
}

main().catch((error) => {
  console.error(error.response ? `${error.config.method} ${error.config.url}: ${JSON.stringify(error.response.data)}` : error);
  process.exit(1);
});
