package org.apache.kafka.common.utils;

/** Stands where the class of this name stood until Kafka 4.4: the connectors of 4.3 ask it for their version. */
public class AppInfoParser {
    private AppInfoParser() {
    }

    public static String getVersion() {
        return "4.4.0";
    }
}
