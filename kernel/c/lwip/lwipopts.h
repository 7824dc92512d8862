/* Which parts of lwIP are built, and how much memory they have: IPv4 with ICMP, TCP and DHCP,
 * without an operating system. lwIP's src/include/lwip/opt.h describes the options. */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

/* There is one thread: the kernel calls lwIP, and lwIP never waits. */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0

#define LWIP_DHCP 1
#define LWIP_DHCP_DOES_ACD_CHECK 0
#define LWIP_RAW 1
#define LWIP_UDP 1
#define LWIP_STATS 0
#define LWIP_NETIF_HOSTNAME 0

/* No padding: the kernel sends frames exactly as they are in memory. */
#define ETH_PAD_SIZE 0
#define MEM_ALIGNMENT 4

/* Room for full windows in both directions on several connections. */
#define MEM_SIZE (128 * 1024)
#define PBUF_POOL_SIZE 64
#define TCP_MSS 1460
#define TCP_WND (16 * TCP_MSS)
#define TCP_SND_BUF (16 * TCP_MSS)
#define TCP_SND_QUEUELEN (4 * TCP_SND_BUF / TCP_MSS)
#define MEMP_NUM_TCP_SEG (4 * TCP_SND_QUEUELEN)
#define MEMP_NUM_TCP_PCB 16
#define LWIP_TCP_KEEPALIVE 1

#endif
