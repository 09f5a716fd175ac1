// Runs calls of @kafkajs/confluent-schema-registry, read as JSON from stdin: {host, calls: [[method, ...arguments]]}.
// Prints a JSON array: {value}, {bytes} (base64), or {error, status, code} for what a call threw.
const { readFileSync } = require('node:fs')
const { SchemaRegistry } = require('@kafkajs/confluent-schema-registry')

async function answer (registry, [method, ...given]) {
  const args = given.map(one => (one && one.base64 !== undefined ? Buffer.from(one.base64, 'base64') : one))
  try {
    const value = await registry[method](...args)
    return Buffer.isBuffer(value) ? { bytes: value.toString('base64') } : { value }
  } catch (error) {
    return { error: error.message, status: error.status, name: error.name }
  }
}

async function main () {
  const { host, calls } = JSON.parse(readFileSync(0, 'utf8'))
  const registry = new SchemaRegistry({ host, retry: { retries: 0 } }, {
    JSON: { strict: false } // or Ajv refuses the keywords of Connect: connect.type, connect.index
  })
  const answers = []
  for (const call of calls) answers.push(await answer(registry, call))
  process.stdout.write(JSON.stringify(answers, (key, value) => (typeof value === 'bigint' ? value.toString() : value)))
}

main().catch(error => { console.error(error); process.exitCode = 1 })
