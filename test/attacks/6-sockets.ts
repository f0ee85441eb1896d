/** The network: each family of sockets and each nearby address. */
import { c } from './lib/programs.js';
import type { Attack } from './lib/attack.js';
import type { World } from './lib/world.js';

const HEADERS = `#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/ioctl.h>
#include <net/if.h>
`;
/** Opens a socket with the raw call of its family, without a library. */
const reach = (world: World): string => `${HEADERS}
static const char *hosts[] = {${world.traps.addresses.map((host) => `"${host}"`).join(', ')}};
static void reach(int type, const char *host, int port) {
  int s = syscall(SYS_socket, AF_INET, type, 0);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)}; inet_pton(AF_INET, host, &a.sin_addr);
  if (s < 0) return;
  struct timeval t = {1, 0}; setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t); setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
  if (connect(s, (void *)&a, sizeof a) == 0 && (type != SOCK_STREAM || write(s, TOKEN, 13) > 0)) { if (type == SOCK_STREAM) through(host); else sendto(s, TOKEN, 13, 0, NULL, 0); }
}`;
const portOf = (url: string | undefined, otherwise: number): number => Number(new URL(url ?? 'x://').port || otherwise);

export const attacks: Attack[] = [
  c(
    'every family of sockets',
    'Opens a socket of each family and type, and a pair.',
    `#include <sys/socket.h>
     int main(void) { trying(); int types[] = {1, 2, 3, 4, 5, 6, 10}; char what[64]; for (int family = 0; family < 50; family++) for (int t = 0; t < 7; t++) for (int protocol = 0; protocol < 18; protocol++) {
         snprintf(what, sizeof what, "family %d type %d protocol %d", family, types[t], protocol); int pair[2];
         if (syscall(SYS_socket, family, types[t], protocol) >= 0 || syscall(SYS_socketpair, family, types[t], protocol, pair) == 0) { through(what); return 0; } } }`,
  ),
  c(
    'TCP and UDP to the host',
    "Connects to the host's loopback and to its address on Docker's bridge, where somebody listens.",
    (world) =>
      `${reach(world)}\nint main(void) { trying(); for (unsigned i = 0; i < sizeof hosts / sizeof *hosts; i++) { reach(SOCK_STREAM, hosts[i], ${world.traps.port}); reach(SOCK_DGRAM, hosts[i], ${world.traps.port}); } }`,
  ),
  c(
    "the broker's address",
    'Connects to the broker, and says what a client of it says first.',
    (world) =>
      `${reach(world)}\nint main(void) { trying(); for (unsigned i = 0; i < sizeof hosts / sizeof *hosts; i++) { reach(SOCK_STREAM, hosts[i], ${portOf(process.env.AMQP_URL?.replace('amqp:', 'x:'), 5672)}); reach(SOCK_STREAM, hosts[i], 15672); reach(SOCK_STREAM, hosts[i], 4369); } }`,
  ),
  c(
    "the engine's address",
    "Connects to Docker's socket under each of its names, and to its ports.",
    (world) => `${reach(world)}
     int main(void) { trying(); const char *paths[] = {"/var/run/docker.sock", "/run/docker.sock", "/proc/1/root/var/run/docker.sock", "/run/containerd/containerd.sock", "${world.traps.socketPath}"};
       for (int i = 0; i < 5; i++) { int s = syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0); struct sockaddr_un a = {AF_UNIX, ""}; strncpy(a.sun_path, paths[i], sizeof a.sun_path - 1); if (s >= 0 && connect(s, (void *)&a, sizeof a) == 0) through(paths[i]); if (access(paths[i], F_OK) == 0) through("a socket is there"); }
       for (unsigned i = 0; i < sizeof hosts / sizeof *hosts; i++) { reach(SOCK_STREAM, hosts[i], 2375); reach(SOCK_STREAM, hosts[i], 2376); } }`,
  ),
  c(
    'abstract Unix sockets',
    "Connects to the host's abstract sockets, which no path and no mount keeps apart.",
    (world) => `${HEADERS}
     int main(void) { trying(); const char *names[] = {"${world.traps.abstractName}", "/tmp/.X11-unix/X0", "@containerd-shim"}; FILE *f = fopen("/proc/net/unix", "r"); char line[256]; if (f) while (fgets(line, 255, f)) if (strstr(line, "code-widgets")) through(line);
       for (int i = 0; i < 3; i++) { int s = syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0); struct sockaddr_un a = {AF_UNIX, ""}; strcpy(a.sun_path + 1, names[i]); if (s >= 0 && connect(s, (void *)&a, 3 + strlen(names[i])) == 0) through(names[i]); } }`,
  ),
  c(
    'vsock, netlink and the kernel',
    'Talks to the hypervisor and to the kernel by sockets that need no network.',
    `#include <sys/socket.h>
     #include <linux/netlink.h>
     int main(void) { trying(); int pairs[][3] = {{40, 1, 0}, {40, 2, 0}, {AF_NETLINK, 3, 15}, {AF_NETLINK, 3, 0}, {AF_NETLINK, 3, 9}, {AF_NETLINK, 3, 16}, {38, 5, 0}, {AF_PACKET, 3, 0}, {44, 3, 0}, {31, 3, 1}, {21, 5, 0}, {30, 5, 0}};
       for (int i = 0; i < 12; i++) { int s = syscall(SYS_socket, pairs[i][0], pairs[i][1], pairs[i][2]); struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = 1}; if (s >= 0) { bind(s, (void *)&a, sizeof a); through("a socket of the kernel's"); } } }`,
  ),
  c(
    'names',
    'Asks for the address of a name, by the C library and of the addresses of its own.',
    (world) => `${reach(world)}
     int main(void) { trying(); struct addrinfo *found; if (getaddrinfo("host.docker.internal", "80", NULL, &found) == 0) through("an address"); if (getaddrinfo("rabbitmq", "5672", NULL, &found) == 0) through("the broker's address");
       for (unsigned i = 0; i < sizeof hosts / sizeof *hosts; i++) reach(SOCK_DGRAM, hosts[i], 53); reach(SOCK_DGRAM, "127.0.0.11", 53); }`,
  ),
  c(
    'a network',
    'Looks for an interface with a way out, in the places where the kernel lists them.',
    `int main(void) { trying(); char line[512]; FILE *f = fopen("/proc/net/dev", "r"); int n = 0; if (f) while (fgets(line, sizeof line, f)) if (n++ > 1 && !strstr(line, "lo:") && !strstr(line, "tunl0") && !strstr(line, "sit0") && !strstr(line, "ip6tnl0")) through(line);
       f = fopen("/proc/net/route", "r"); n = 0; if (f) while (fgets(line, sizeof line, f)) if (n++ > 0) through("a route"); if (access("/sys/class/net/eth0", F_OK) == 0) through("eth0"); }`,
  ),
  c(
    'io_uring for sockets',
    'Opens a socket by io_uring, past the filter of calls.',
    'int main(void) { trying(); char parameters[120] = {0}; if (syscall(SYS_io_uring_setup, 4, parameters) >= 0) through("a ring"); if (syscall(SYS_io_setup, 4, parameters) == 0) through("asynchronous calls"); }',
  ),
];
