// TAP devices, in a network namespace of a child's own. Skipped where the rights for that are missing.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstring>

#include "host/fd.h"
#include "host/host_test_tools.h"
#include "host/linux_world.h"

namespace pollux::host {
namespace {

constexpr int kSkipped = 77;
constexpr const char* kName = "pollux0";

// A persistent TAP device that is up, as `ip tuntap add` and `ip link set up` make one.
bool make_device() {
  const Fd tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  const Fd control(::socket(AF_INET, SOCK_DGRAM, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, kName);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (!tun || ::ioctl(tun.get(), TUNSETIFF, &request) != 0 || ::ioctl(tun.get(), TUNSETPERSIST, 1) != 0) return false;
  request.ifr_flags = IFF_UP;
  return ::ioctl(control.get(), SIOCSIFFLAGS, &request) == 0;
}

LinuxWorldOptions with_tap() {
  LinuxWorldOptions options;
  options.console = "none";
  options.stop_signals = false;
  options.nics = {{NicOptions::Kind::kTap, kName}};
  options.operator_line = [](const std::string&) {};
  return options;
}

int frames_both_ways() {
  if (::unshare(CLONE_NEWNET) != 0 || !make_device()) return kSkipped;
  auto world = LinuxWorld::create(with_tap());
  if (!world) return 1;
  Arrivals arrivals(**world);
  const Fd host(::socket(AF_PACKET, SOCK_RAW, htons(0xb588)));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(0xb588);
  address.sll_ifindex = int(if_nametoindex(kName));
  if (::bind(host.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 2;
  Bytes frame(60, std::byte{0x52});
  frame[12] = std::byte{0xb5};
  frame[13] = std::byte{0x88};
  (*world)->perform(door::PacketOutput{0, frame});
  Bytes got(2000);
  const timeval patience{10, 0};
  ::setsockopt(host.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const ssize_t size = ::recv(host.get(), got.data(), got.size(), 0);
  got.resize(size > 0 ? std::size_t(size) : 0);
  if (got != frame) return 3;
  if (::send(host.get(), frame.data(), frame.size(), 0) != 60) return 4;
  // The host's own neighbour discovery may come first.
  arrivals.await<door::PacketInput>([&](const auto& packet) { return packet.frame == frame; });
  if (testing::Test::HasFailure()) return 5;
  const auto second = LinuxWorld::create(with_tap());
  if (second || second.error().sentence.find("in use by another machine") == std::string::npos) return 6;
  return 0;
}

TEST(Tap, FramesGoBothWaysAndASecondMachineIsRefused) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(frames_both_ways());
  int status = -1;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kSkipped) GTEST_SKIP() << "needs the right to make network namespaces and TAP devices";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace pollux::host
