/* One packet in, one packet out, and why: a UDP echo on a stack of our own. */
#include <oriel/oriel.h>
#include <stdio.h>

/* 10.0.0.1 port 5000 says "hello" to 10.0.0.2 port 7. */
static const uint8_t packet[] = {
    0x45, 0x00, 0x00, 0x21, 0x00, 0x01, 0x00, 0x00, 0x40, 0x11, 0x66, 0xc9, 0x0a, 0x00, 0x00, 0x01,
    0x0a, 0x00, 0x00, 0x02, 0x13, 0x88, 0x00, 0x07, 0x00, 0x0d, 0x94, 0x70, 'h',  'e',  'l',  'l',
    'o',
};
static uint8_t memory[4 << 20];

int main(void)
{
    struct oriel_config cfg;
    oriel_config_init(&cfg);
    cfg.memory = memory;
    cfg.memory_bytes = sizeof(memory);
    cfg.seed[0] = 1;                                /* outside a test: 32 random bytes */
    struct oriel_stack *s = oriel_create(&cfg);
    struct oriel_netif_config link = {.name = "link", .kind = ORIEL_NETIF_RAW};
    int nif = s ? oriel_netif_add(s, &link) : ORIEL_ENOBUFS;
    struct oriel_addr addr;
    uint8_t prefix_len;
    oriel_handle h;
    if (nif < 0 || oriel_prefix_parse("10.0.0.2/24", &addr, &prefix_len) ||
        oriel_addr_add(s, nif, &addr, prefix_len) || oriel_udp_open(s, ORIEL_IP4, &h) ||
        oriel_bind(s, h, &(struct oriel_endpoint){.port = 7}))
        return 1;

    struct pkt *p = oriel_pkt_new(s, nif, packet, sizeof(packet));
    struct pkt_batch in = {.pkts = &p, .n = p ? 1 : 0};
    oriel_step(s, 1000000, &in);                    /* it is 1 ms; this arrived */

    uint8_t data[1500];
    struct oriel_msg from;                          /* who asked is whom to answer */
    for (int n; (n = oriel_recv(s, h, data, sizeof(data), &from)) >= 0;)
        if (oriel_send(s, h, data, (size_t)n, &(struct oriel_msg){.peer = from.peer}) < 0)
            return 1;
    while (oriel_netif_take(s, nif, &p, 1) == 1) {
        printf("%zu bytes leave: %s (%s)\n", oriel_pkt_len(p), oriel_pkt_why(p),
               oriel_pkt_why_name(p));
        oriel_pkt_free(p);
    }
    oriel_destroy(s);
    return 0;
}
