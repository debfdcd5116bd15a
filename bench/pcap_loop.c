/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcap_loop.c -- the measure that `nettally read` is held to: libpcap reads a file and calls an empty function. */
#include <pcap/pcap.h>
#include <stdio.h>

static void empty(u_char *user, const struct pcap_pkthdr *header, const u_char *bytes)
{
	(void)user;
	(void)header;
	(void)bytes;
}

int main(int argc, char **argv)
{
	char why[PCAP_ERRBUF_SIZE] = "which file?";
	pcap_t *p = argc == 2 ? pcap_open_offline(argv[1], why) : NULL;

	if (!p || pcap_loop(p, -1, empty, NULL) < 0) {
		fprintf(stderr, "pcap_loop: %s\n", p ? pcap_geterr(p) : why);
		return 1;
	}
	pcap_close(p);
	return 0;
}
