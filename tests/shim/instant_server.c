/* A daemon that answers every request at once with an empty result: what is left is the shim's own time. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nCni-Exit: 0\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char request[65536];
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path)
        return 2;
    strcpy(address.sun_path, argv[1]);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024))
        return 1;
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return 1;
        if (read(fd, request, sizeof request) > 0 && write(fd, answer, sizeof answer - 1) < 0)
            perror("write");
        close(fd);
    }
}
