/* What the kernel uses of lwIP: its own interface for TCP and DHCP, and one network card. */
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

/* The card. Valid once `network_start` has been called. */
extern struct netif network_card;

/* Starts lwIP with a card that sends through `transmit`. `hardware` is its Ethernet address; the
 * others are IP addresses in network order. */
err_t network_start(netif_linkoutput_fn transmit, const u8_t *hardware, u32_t address,
                    u32_t mask, u32_t gateway);

/* Returns the card, for functions that take a `struct netif *`. */
struct netif *network_netif(void);

/* Passes a frame that has arrived to lwIP. */
err_t network_receive(const void *frame, u16_t length);

/* Sets the time, in milliseconds. Call it before anything that depends on the time. */
void network_set_time(u32_t milliseconds);

/* Returns the card's address in network order, or 0 while it has none. */
u32_t network_address(void);

/* Returns nonzero if DHCP has given the card an address. */
int network_has_lease(void);

/* Returns a control block for ICMP whose packets go to `receive`, or null. */
struct raw_pcb *network_icmp(raw_recv_fn receive);

/* Sends an ICMP packet (header and data) to an address in network order. */
err_t network_send_icmp(struct raw_pcb *pcb, const void *packet, u16_t length, u32_t to);

#endif
