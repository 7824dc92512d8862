/* What the work of the paper needs beside the three libraries' own headers. */
#ifndef PAPER_H
#define PAPER_H

#include "bearssl_hmac.h"
#include "lfs.h"
#include "network.h"

/* Starts HMAC-SHA256 with a key. BearSSL has two functions for that. */
void hmac_start(br_hmac_context *context, const void *key, size_t length);

/* Returns the description of a device in RAM, whose functions are in C. */
const struct lfs_config *ram_disk(void);

/* Returns the description of a file. One file can be open at a time. */
const struct lfs_file_config *ram_file(void);

/* Starts lwIP as `network_start` does, unless it runs already. In either case it sends through
 * `transmit` from now on. */
err_t echo_start(netif_linkoutput_fn transmit, const u8_t *hardware, u32_t address, u32_t mask,
                 u32_t gateway);

#endif
