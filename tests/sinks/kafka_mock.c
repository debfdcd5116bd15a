/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kafka_mock -- librdkafka's mock cluster of three brokers as a process: prints its list of brokers. A line "down" or "up" on
 * standard input stops and starts them; it ends with its input. */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	char why[256], line[64];
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof why);
	rd_kafka_mock_cluster_t *mock = rk ? rd_kafka_mock_cluster_new(rk, 3) : NULL;

	if (!mock) {
		fprintf(stderr, "kafka_mock: %s\n", why);
		return 1;
	}
	printf("%s\n", rd_kafka_mock_cluster_bootstraps(mock));
	fflush(stdout);
	while (fgets(line, sizeof line, stdin)) {
		for (int broker = 1; broker <= 3; broker++)
			if (strncmp(line, "down", 4) == 0)
				rd_kafka_mock_broker_set_down(mock, broker);
			else if (strncmp(line, "up", 2) == 0)
				rd_kafka_mock_broker_set_up(mock, broker);
		printf("done\n");
		fflush(stdout);
	}
	rd_kafka_mock_cluster_destroy(mock);
	rd_kafka_destroy(rk);
	return 0;
}
