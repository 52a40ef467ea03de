/* rude_server.c - accept, read a request, let the handler answer.
 * Invariant: as in rude_server.h.
 */
#include "rude_server.h"

#include "support/cmocka_all.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 512, MAX_PATHS = 512, MAX_REQUEST = 16384 };

struct rude_server {
    int fd;
    uint16_t port;
    rude_handler handler;
    pthread_t acceptor;
    pthread_mutex_t lock;
    bool over;
    int n_threads, under_way, most;
    pthread_t threads[MAX_CONNECTIONS];
    int fds[MAX_CONNECTIONS]; /* -1 = closed */
    int n_paths, total;
    char paths[MAX_PATHS][256];
    int counts[MAX_PATHS];
};

struct connection {
    rude_server *server;
    int slot, fd;
};

void rude_write(int fd, const void *p, size_t n) {
    const char *at = p;
    while (n > 0) {
        ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        at += sent;
        n -= (size_t)sent;
    }
}

void rude_say(int fd, const char *text) {
    rude_write(fd, text, strlen(text));
}

void rude_page(int fd, const char *status, const char *headers, const char *body) {
    char head[1024];
    snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, headers,
             strlen(body));
    rude_say(fd, head);
    rude_say(fd, body);
}

bool rude_is_over(rude_server *s) {
    pthread_mutex_lock(&s->lock);
    bool over = s->over;
    pthread_mutex_unlock(&s->lock);
    return over;
}

void rude_wait(rude_server *s, int fd) {
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    while (!rude_is_over(s) && poll(&p, 1, 10) == 0)
        ;
}

bool rude_reset(int fd) {
    struct linger linger = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    return false;
}

static int count(rude_server *s, const char *path) {
    pthread_mutex_lock(&s->lock);
    s->total++;
    s->under_way++;
    if (s->under_way > s->most)
        s->most = s->under_way;
    int i = 0;
    while (i < s->n_paths && strcmp(s->paths[i], path) != 0)
        i++;
    if (i == s->n_paths && i < MAX_PATHS)
        snprintf(s->paths[s->n_paths++], sizeof s->paths[0], "%s", path);
    int nth = i < MAX_PATHS ? ++s->counts[i] : 1;
    pthread_mutex_unlock(&s->lock);
    return nth;
}

/* One request with its body; false at the end of the connection. */
static bool read_request(int fd, char *dst) {
    size_t n = 0, body = 0;
    for (;;) {
        ssize_t got = recv(fd, dst + n, MAX_REQUEST - 1 - n, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
        dst[n] = '\0';
        char *end = strstr(dst, "\r\n\r\n");
        if (!end)
            continue;
        const char *length = strcasestr(dst, "\r\nContent-Length:");
        body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
        if (n >= (size_t)(end + 4 - dst) + body)
            return true;
    }
}

static void *serve(void *arg) {
    struct connection *c = arg;
    rude_server *s = c->server;
    char *request = malloc(MAX_REQUEST);
    while (request && read_request(c->fd, request)) {
        char path[256];
        if (sscanf(request, "%*s %255s", path) != 1)
            break;
        int nth = count(s, path);
        bool stay = s->handler(s, c->fd, path, nth, request);
        pthread_mutex_lock(&s->lock);
        s->under_way--;
        pthread_mutex_unlock(&s->lock);
        if (!stay)
            break;
    }
    pthread_mutex_lock(&s->lock);
    close(c->fd);
    s->fds[c->slot] = -1;
    pthread_mutex_unlock(&s->lock);
    free(request);
    free(c);
    return NULL;
}

static void *accept_all(void *arg) {
    rude_server *s = arg;
    for (;;) {
        int fd = accept(s->fd, NULL, NULL);
        pthread_mutex_lock(&s->lock);
        struct connection *c =
            fd >= 0 && !s->over && s->n_threads < MAX_CONNECTIONS ? malloc(sizeof *c) : NULL;
        if (c) {
            *c = (struct connection){s, s->n_threads, fd};
            s->fds[c->slot] = fd;
            if (pthread_create(&s->threads[s->n_threads], NULL, serve, c) == 0)
                s->n_threads++;
        } else if (fd >= 0) {
            close(fd);
        }
        bool over = s->over;
        pthread_mutex_unlock(&s->lock);
        if (over)
            return NULL;
    }
}

rude_server *rude_start(rude_handler handler) {
    rude_server *s = calloc(1, sizeof *s);
    assert_non_null(s);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    s->handler = handler;
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    pthread_mutex_init(&s->lock, NULL);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->fd, 128), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->acceptor, NULL, accept_all, s), 0);
    return s;
}

void rude_stop(rude_server *s) {
    pthread_mutex_lock(&s->lock);
    s->over = true;
    for (int i = 0; i < s->n_threads; i++)
        if (s->fds[i] >= 0)
            shutdown(s->fds[i], SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->acceptor, NULL);
    for (int i = 0; i < s->n_threads; i++)
        pthread_join(s->threads[i], NULL);
    close(s->fd);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

uint16_t rude_port(const rude_server *s) {
    return s->port;
}

int rude_requests(rude_server *s, const char *path) {
    int found = 0;
    pthread_mutex_lock(&s->lock);
    for (int i = 0; path && i < s->n_paths; i++)
        if (strcmp(s->paths[i], path) == 0)
            found = s->counts[i];
    if (!path)
        found = s->total;
    pthread_mutex_unlock(&s->lock);
    return found;
}

int rude_connections(rude_server *s) {
    pthread_mutex_lock(&s->lock);
    int n = s->n_threads;
    pthread_mutex_unlock(&s->lock);
    return n;
}

int rude_most_at_once(rude_server *s) {
    pthread_mutex_lock(&s->lock);
    int n = s->most;
    pthread_mutex_unlock(&s->lock);
    return n;
}

int rude_fork(rude_handler handler, uint16_t *port) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        rude_server *s = rude_start(handler);
        if (write(ends[1], &s->port, sizeof s->port) == (ssize_t)sizeof s->port)
            for (;;)
                pause();
        _exit(1);
    }
    assert_int_equal(read(ends[0], port, sizeof *port), sizeof *port);
    close(ends[0]);
    close(ends[1]);
    return pid;
}

void rude_kill(int pid) {
    int status;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
}
