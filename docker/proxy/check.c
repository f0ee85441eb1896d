/*
 * check PORT PATH: asks the HTTP server on this machine, and ends with 0 if it answers 200.
 * The health check of an image without a shell; whoever starts it sets the time it may take.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int complain(const char *what)
{
    perror(what);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: check PORT PATH\n", stderr);
        return 2;
    }
    struct sockaddr_in server = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)atoi(argv[1])),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof server) < 0)
        return complain("connect");
    if (dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", argv[2]) < 0)
        return complain("write");

    char answer[] = "HTTP/1.x 200";
    for (size_t have = 0; have < sizeof answer - 1;) {
        ssize_t part = read(fd, answer + have, sizeof answer - 1 - have);
        if (part < 0)
            return complain("read");
        if (part == 0)
            break;
        have += (size_t)part;
    }
    int is_well = strncmp(answer, "HTTP/1.", 7) == 0 && strcmp(answer + 8, " 200") == 0;
    if (!is_well)
        fprintf(stderr, "the answer begins with %s\n", answer);
    return is_well ? 0 : 1;
}
