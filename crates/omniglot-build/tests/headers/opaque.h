#ifndef OPAQUE_H
#define OPAQUE_H

typedef struct database database;
typedef struct cursor *cursor_handle;

database *database_open(const char *path, char **error);
cursor_handle database_cursor(database *db);
void database_close(database *db);
#endif
