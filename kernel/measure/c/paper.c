#include "paper.h"

#include <string.h>

#define BLOCK 512
#define BLOCKS 16
#define CACHE 64

static uint8_t blocks[BLOCKS][BLOCK];
static uint32_t read_cache[CACHE / 4], program_cache[CACHE / 4], file_cache[CACHE / 4];
static uint32_t lookahead[CACHE / 4];

void hmac_start(br_hmac_context *context, const void *key, size_t length)
{
    br_hmac_key_context prepared;

    br_hmac_key_init(&prepared, &br_sha256_vtable, key, length);
    br_hmac_init(context, &prepared, 0);
}

static int ram_read(const struct lfs_config *config, lfs_block_t block, lfs_off_t offset,
                    void *to, lfs_size_t size)
{
    (void)config;
    memcpy(to, &blocks[block][offset], size);
    return LFS_ERR_OK;
}

static int ram_program(const struct lfs_config *config, lfs_block_t block, lfs_off_t offset,
                       const void *from, lfs_size_t size)
{
    (void)config;
    memcpy(&blocks[block][offset], from, size);
    return LFS_ERR_OK;
}

static int ram_erase(const struct lfs_config *config, lfs_block_t block)
{
    (void)config;
    memset(blocks[block], 0xff, BLOCK);
    return LFS_ERR_OK;
}

static int ram_synchronise(const struct lfs_config *config)
{
    (void)config;
    return LFS_ERR_OK;
}

const struct lfs_config *ram_disk(void)
{
    static const struct lfs_config config = {
        .read = ram_read,
        .prog = ram_program,
        .erase = ram_erase,
        .sync = ram_synchronise,
        .read_size = 1,
        .prog_size = 1,
        .block_size = BLOCK,
        .block_count = BLOCKS,
        .block_cycles = 500,
        .cache_size = CACHE,
        .lookahead_size = CACHE,
        .read_buffer = read_cache,
        .prog_buffer = program_cache,
        .lookahead_buffer = lookahead,
    };

    return &config;
}

const struct lfs_file_config *ram_file(void)
{
    static const struct lfs_file_config config = { .buffer = file_cache };

    return &config;
}

err_t echo_start(netif_linkoutput_fn transmit, const u8_t *hardware, u32_t address, u32_t mask,
                 u32_t gateway)
{
    err_t error = ERR_OK;

    if (network_card.input == NULL)
        error = network_start(transmit, hardware, address, mask, gateway);
    network_card.linkoutput = transmit;
    return error;
}
