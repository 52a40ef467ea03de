/* rude_server.h - a server on loopback that writes to its sockets whatever a test tells it.
 * Invariant: one thread a connection; stop closes every socket and joins every thread.
 */
#ifndef TEST_SOURCE_RUDE_SERVER_H
#define TEST_SOURCE_RUDE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rude_server rude_server;

/* Answers one request on fd; path is "/x?y=z", nth counts the requests of this path from 1. Returns
 * whether the connection stays open. */
typedef bool (*rude_handler)(rude_server *server, int fd, const char *path, int nth,
                             const char *request);

rude_server *rude_start(rude_handler handler);
void rude_stop(rude_server *server);
uint16_t rude_port(const rude_server *server);
int rude_requests(rude_server *server, const char *path); /* NULL = of all paths */
int rude_connections(rude_server *server);
int rude_most_at_once(rude_server *server); /* requests under way at the same time */

/* For handlers. */
void rude_write(int fd, const void *p, size_t n); /* ignores errors */
void rude_say(int fd, const char *text);
void rude_page(int fd, const char *status, const char *headers,
               const char *body); /* with its length */
bool rude_is_over(rude_server *server);
void rude_wait(rude_server *server, int fd); /* until the client or the server goes away */
bool rude_reset(int fd);                     /* closes with a reset; returns false */

/* A server in a process of its own, for tests that count descriptors. */
int rude_fork(rude_handler handler, uint16_t *port); /* pid */
void rude_kill(int pid);

#endif
