#ifndef HANDLES_H
#define HANDLES_H

typedef struct archive_s archive;
struct entry { int size; };

archive *archive_new(int level);
int archive_open(const char *name, archive **result, int *version);
struct entry *archive_first(archive *from);
int archive_close(archive *archive);
void entry_free(struct entry *entry);

/* As curl's handles: to C, a pointer to anything. */
typedef void session;
typedef struct entry *entry_t;
typedef void *anything;
session *session_new(void);
int session_option(session *session, void *value);
void session_end(session *session);
anything anything_new(void);
#endif
