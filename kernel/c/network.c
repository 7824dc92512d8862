#include "network.h"

#include <string.h>

#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/inet_chksum.h"
#include "lwip/ip.h"
#include "netif/ethernet.h"

struct netif network_card;

static u32_t now;
static u32_t random_state = 2463534242u;
static u8_t hardware_address[ETH_HWADDR_LEN];
static netif_linkoutput_fn transmit_frame;

u32_t sys_now(void)
{
    return now;
}

void network_set_time(u32_t milliseconds)
{
    now = milliseconds;
}

/* Marsaglia's xorshift. The current time is mixed in. */
uint32_t network_random(void)
{
    random_state ^= now ? now : 1;
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state ? random_state : 1;
}

static err_t set_up(struct netif *netif)
{
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->mtu = 1500;
    netif->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(netif->hwaddr, hardware_address, ETH_HWADDR_LEN);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    netif->output = etharp_output;
    netif->linkoutput = transmit_frame;
    return ERR_OK;
}

err_t network_start(netif_linkoutput_fn transmit, const u8_t *hardware, u32_t address,
                    u32_t mask, u32_t gateway)
{
    ip4_addr_t own = { address }, net = { mask }, router = { gateway };

    memcpy(hardware_address, hardware, ETH_HWADDR_LEN);
    transmit_frame = transmit;
    lwip_init();
    if (netif_add(&network_card, &own, &net, &router, NULL, set_up, ethernet_input) == NULL)
        return ERR_IF;
    netif_set_default(&network_card);
    netif_set_up(&network_card);
    netif_set_link_up(&network_card);
    return ERR_OK;
}

struct netif *network_netif(void)
{
    return &network_card;
}

err_t network_receive(const void *frame, u16_t length)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, length, PBUF_POOL);
    err_t error;

    if (p == NULL)
        return ERR_MEM;
    error = pbuf_take(p, frame, length);
    if (error == ERR_OK)
        error = network_card.input(p, &network_card);
    if (error != ERR_OK)
        pbuf_free(p);
    return error;
}

u32_t network_address(void)
{
    return netif_ip4_addr(&network_card)->addr;
}

int network_has_lease(void)
{
    return dhcp_supplied_address(&network_card);
}

struct raw_pcb *network_icmp(raw_recv_fn receive)
{
    struct raw_pcb *pcb = raw_new(IP_PROTO_ICMP);

    if (pcb == NULL)
        return NULL;
    raw_recv(pcb, receive, NULL);
    raw_bind(pcb, IP_ADDR_ANY);
    return pcb;
}

err_t network_send_icmp(struct raw_pcb *pcb, const void *packet, u16_t length, u32_t to)
{
    ip4_addr_t target = { to };
    struct pbuf *p = pbuf_alloc(PBUF_IP, length, PBUF_RAM);
    err_t error;

    if (p == NULL)
        return ERR_MEM;
    memcpy(p->payload, packet, length);
    error = raw_sendto(pcb, p, &target);
    pbuf_free(p);
    return error;
}
