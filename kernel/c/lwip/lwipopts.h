/* What of lwIP is built, and how much it may hold: IPv4 with ICMP, TCP and DHCP, without an
 * operating system. The options are described in lwIP's src/include/lwip/opt.h. */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

/* One thread: the kernel calls, and lwIP never waits. */
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

/* The kernel hands frames out as they are in memory: padding is of no use. */
#define ETH_PAD_SIZE 0
#define MEM_ALIGNMENT 4

/* Room for full windows both ways on several connections. */
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
