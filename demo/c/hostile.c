/* This does not include its header, since hostile_bool differs from its declaration there. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void hostile_write(uintptr_t address) {
    *(volatile uint64_t *)address = 0x4141414141414141;
}

uint64_t hostile_read(uintptr_t address) {
    return *(volatile uint64_t *)address;
}

const uint64_t *hostile_pointer(uintptr_t address) {
    return (const uint64_t *)address;
}

const char *hostile_string(void) {
    static char text[4096];
    memset(text, 'A', sizeof text);
    return text;
}

/* The header declares bool. */
int hostile_bool(void) {
    return 2;
}

void hostile_crash(void) {
    *(volatile int *)0 = 1;
}

uint64_t hostile_recurse(uint64_t depth) {
    volatile uint64_t frame[512];
    frame[depth % 512] = depth;
    return hostile_recurse(depth + 1) + frame[depth % 512];
}

void hostile_loop(void) {
    for (;;)
        __asm__ volatile("");
}

void hostile_exit(int status) {
    exit(status);
}

void hostile_abort(void) {
    abort();
}

int hostile_open(const char *path) {
    return open(path, O_RDONLY);
}

int hostile_spawn(void) {
    int status;
    pid_t child = fork();
    if (child < 0)
        return -1;
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", ":", (char *)0);
        _exit(127);
    }
    return waitpid(child, &status, 0) == child && status == 0 ? 0 : -1;
}

int hostile_connect(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (descriptor < 0)
        return -1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(descriptor, (struct sockaddr *)&address, sizeof address);
}

uint32_t hostile_add(uint32_t left, uint32_t right) {
    return left + right;
}
