package penstock.bench;

import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.data.Timestamp;
import org.apache.kafka.connect.source.SourceConnector;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.source.SourceTask;

/** Hands over prebuilt structs of eight mixed fields, a thousand a poll; the twin of bench_plugin.BenchSource. */
public class BatchSource extends SourceConnector {
    static final ConfigDef CONFIG = new ConfigDef()
            .define("topic", ConfigDef.Type.STRING, ConfigDef.Importance.HIGH, "Topic to write to.")
            .define("records", ConfigDef.Type.LONG, ConfigDef.Importance.HIGH, "How many records to hand over.")
            .define("batch", ConfigDef.Type.INT, 1000, ConfigDef.Importance.LOW, "Records per poll.");

    private Map<String, String> props;

    @Override
    public void start(Map<String, String> props) {
        this.props = props;
    }

    @Override
    public Class<? extends Task> taskClass() {
        return BatchSourceTask.class;
    }

    @Override
    public List<Map<String, String>> taskConfigs(int maxTasks) {
        return List.of(props);
    }

    @Override
    public void stop() {}

    @Override
    public ConfigDef config() {
        return CONFIG;
    }

    @Override
    public String version() {
        return "1";
    }

    public static class BatchSourceTask extends SourceTask {
        private static final Schema SCHEMA = SchemaBuilder.struct().name("bench.Row")
                .field("id", Schema.INT64_SCHEMA)
                .field("count", Schema.INT32_SCHEMA)
                .field("price", Schema.FLOAT64_SCHEMA)
                .field("ratio", Schema.FLOAT32_SCHEMA)
                .field("active", Schema.BOOLEAN_SCHEMA)
                .field("name", Schema.STRING_SCHEMA)
                .field("note", Schema.OPTIONAL_STRING_SCHEMA)
                .field("at", Timestamp.SCHEMA)
                .build();
        private static final long FIRST_OF_2026 = 1767225600000L;

        private List<SourceRecord> batch;
        private long left;

        @Override
        public void start(Map<String, String> props) {
            int size = Integer.parseInt(props.getOrDefault("batch", "1000"));
            left = Long.parseLong(props.get("records"));
            batch = new ArrayList<>(size);
            for (int number = 0; number < size; number++) {
                Struct row = new Struct(SCHEMA)
                        .put("id", (long) number)
                        .put("count", number % 1000)
                        .put("price", number * 0.25)
                        .put("ratio", (number % 64) / 64f)
                        .put("active", number % 2 == 0)
                        .put("name", "customer-" + number % 977)
                        .put("note", number % 3 == 0 ? "paid" : null)
                        .put("at", new Date(FIRST_OF_2026 + number));
                batch.add(new SourceRecord(Map.of("bench", "memory"), Map.of("position", (long) number),
                        props.get("topic"), SCHEMA, row));
            }
        }

        @Override
        public List<SourceRecord> poll() throws InterruptedException {
            if (left <= 0) {
                Thread.sleep(100);
                return null;
            }
            List<SourceRecord> next = left >= batch.size() ? batch : batch.subList(0, (int) left);
            left -= next.size();
            return next;
        }

        @Override
        public void stop() {}

        @Override
        public String version() {
            return "1";
        }
    }
}
