/* lwIP as the kernel uses it: its own interface for TCP and DHCP, and one network card. */
#ifndef NETWORK_H
#define NETWORK_H

#include "lwip/dhcp.h"
#include "lwip/icmp.h"
#include "lwip/ip4_addr.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/raw.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"

/* The card, once `network_start` has been called. */
extern struct netif network_card;

/* Starts lwIP with a card that sends through `transmit`, and has these addresses: the first
 * of Ethernet, the others of IP, in network order. */
err_t network_start(netif_linkoutput_fn transmit, const u8_t *hardware, u32_t address,
                    u32_t mask, u32_t gateway);

/* The card, for functions that take it. */
struct netif *network_netif(void);

/* Takes in a frame that has arrived. */
err_t network_receive(const void *frame, u16_t length);

/* Says what time it is, in milliseconds, before anything that depends on it. */
void network_set_time(u32_t milliseconds);

/* The card's address, in network order; 0 while it has none. */
u32_t network_address(void);

/* Whether DHCP has given the card an address. */
int network_has_lease(void);

/* A control block for ICMP whose packets go to `receive`, or null. */
struct raw_pcb *network_icmp(raw_recv_fn receive);

/* Sends a packet of ICMP's, header and data, to an address in network order. */
err_t network_send_icmp(struct raw_pcb *pcb, const void *packet, u16_t length, u32_t to);

#endif
