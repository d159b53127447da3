// ToyGuest's own code (in a test file so that it is not part of the product).
#include "host/switch/toy_guest.h"

#include <arpa/inet.h>

#include <array>

namespace pollux::host::switching {
namespace {

constexpr u8 kFin = 1, kSyn = 2, kPush = 8, kAck = 16;
constexpr u16 kMoreFragments = 0x2000, kOffset = 0x1fff;
constexpr std::size_t kFragmentBytes = 1480;
constexpr Mac kBroadcast{255, 255, 255, 255, 255, 255};

void put16(ByteWriter& out, u16 value) { out.put<u16>(htons(value)); }
void put32(ByteWriter& out, u32 value) { out.put<u32>(htonl(value)); }
u16 get16(ByteSpan from, std::size_t at) { return u16(u16(from[at]) << 8 | u16(from[at + 1])); }
u32 get32(ByteSpan from, std::size_t at) { return u32(get16(from, at)) << 16 | get16(from, at + 2); }

u32 sum(ByteSpan bytes) {
  u32 total = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) total += get16(bytes, i);
  if (bytes.size() % 2) total += u32(bytes.back()) << 8;
  return total;
}
u16 fold(u32 total) {
  while (total >> 16) total = (total & 0xffff) + (total >> 16);
  return u16(~total);
}
void set16(Bytes& bytes, std::size_t at, u16 value) {
  bytes[at] = std::byte(value >> 8);
  bytes[at + 1] = std::byte(value);
}

}  // namespace

Bytes ToyGuest::ethernet(const Mac& to, u16 type, const Bytes& payload) const {
  ByteWriter frame;
  frame.put_bytes(std::as_bytes(std::span(to)));
  frame.put_bytes(std::as_bytes(std::span(mac_)));
  put16(frame, type);
  frame.put_bytes(payload);
  return frame.take();
}

void ToyGuest::send_ip(u32 to, u8 protocol, ByteSpan payload, const Send& send, u16 fragment) {
  ByteWriter header;
  put16(header, 0x4500);
  put16(header, u16(20 + payload.size()));
  put32(header, 0x00010000u | fragment);
  header.put<u8>(64);
  header.put<u8>(protocol);
  put16(header, 0);
  put32(header, to == ~u32{0} ? 0 : ip_);
  put32(header, to);
  Bytes packet = header.take();
  set16(packet, 10, fold(sum(packet)));
  packet.insert(packet.end(), payload.begin(), payload.end());
  send(ethernet(to == ~u32{0} ? kBroadcast : router_mac_, 0x0800, packet));
}

void ToyGuest::ask_for_address(const Send& send) {
  ByteWriter request;
  put16(request, 68);
  put16(request, 67);
  put16(request, 8 + 236 + 8);
  put16(request, 0);  // no checksum
  put32(request, 0x01010600);
  put32(request, 0x12345678);
  for (int i = 0; i < 5; ++i) put32(request, 0);
  request.put_bytes(std::as_bytes(std::span(mac_)));
  for (int i = 0; i < 10 + 64 + 128; ++i) request.put<u8>(0);
  put32(request, 0x63825363);
  for (u8 byte : {53, 1, 1, 255}) request.put<u8>(byte);
  send_ip(~u32{0}, 17, request.take(), send);
}

void ToyGuest::ask_who_has(u32 ip, const Send& send) {
  ByteWriter request;
  for (u16 half : {1, 0x0800, 0x0604, 1}) put16(request, half);
  request.put_bytes(std::as_bytes(std::span(mac_)));
  put32(request, ip_);
  put16(request, 0);
  put32(request, 0);
  put32(request, ip);
  send(ethernet(kBroadcast, 0x0806, request.take()));
}

void ToyGuest::send_fragment(u32 ip, u16 offset, bool more, std::size_t size, const Send& send) {
  send_ip(ip, 17, Bytes(size), send, u16(offset | (more ? kMoreFragments : 0)));
}

void ToyGuest::ping(u32 ip, const Send& send, std::size_t size) {
  ByteWriter request;
  put32(request, 0x08000000);
  put32(request, 0x00010001);
  request.put_bytes(Bytes(size));
  Bytes bytes = request.take();
  set16(bytes, 2, fold(sum(bytes)));
  for (std::size_t at = 0; at < bytes.size(); at += kFragmentBytes) {
    const std::size_t count = std::min(kFragmentBytes, bytes.size() - at);
    const bool more = at + count < bytes.size();
    send_ip(ip, 1, ByteSpan(bytes).subspan(at, count), send, u16(at / 8 | (more ? kMoreFragments : 0)));
  }
}

void ToyGuest::send_datagram(u32 ip, u16 port, std::string_view text, const Send& send) {
  ByteWriter datagram;
  put16(datagram, 4000);
  put16(datagram, port);
  put16(datagram, u16(8 + text.size()));
  put16(datagram, 0);  // no checksum
  datagram.put_bytes(as_bytes(text));
  send_ip(ip, 17, datagram.take(), send);
}

void ToyGuest::say(std::string_view text, const Send& send) {
  send_tcp(kAck | kPush, text, send);
  next_to_send_ += u32(text.size());
}

void ToyGuest::send_tcp(u8 flags, std::string_view text, const Send& send) {
  ByteWriter segment;
  put16(segment, port_);
  put16(segment, peer_port_);
  put32(segment, next_to_send_);
  put32(segment, next_to_hear_);
  put16(segment, u16(0x5000 | flags));
  put16(segment, 60000);
  put32(segment, 0);
  segment.put_bytes(as_bytes(text));
  Bytes bytes = segment.take();
  ByteWriter pseudo;
  put32(pseudo, ip_);
  put32(pseudo, peer_);
  put16(pseudo, 6);
  put16(pseudo, u16(bytes.size()));
  set16(bytes, 16, fold(sum(pseudo.bytes()) + sum(bytes)));
  send_ip(peer_, 6, bytes, send);
}

void ToyGuest::receive(ByteSpan frame, const Send& send) {
  const ByteSpan payload = frame.subspan(14);
  switch (get16(frame, 12)) {
    case 0x0800: receive_ip(payload, send); break;
    case 0x0806:
      if (get16(payload, 6) == 2) answered_arp = get32(payload, 14);
      if (get16(payload, 6) == 1 && get32(payload, 24) == ip_) {
        ByteWriter reply;
        for (u16 half : {1, 0x0800, 0x0604, 2}) put16(reply, half);
        reply.put_bytes(std::as_bytes(std::span(mac_)));
        put32(reply, ip_);
        reply.put_bytes(payload.subspan(8, 10));
        send(ethernet(router_mac_, 0x0806, reply.take()));
      }
      break;
    default: break;
  }
}

void ToyGuest::receive_ip(ByteSpan packet, const Send& send) {
  packet = packet.first(get16(packet, 2));
  const ByteSpan payload = packet.subspan(std::size_t(u8(packet[0]) & 15) * 4);
  switch (u8(packet[9])) {
    case 1: echo_replies += u8(payload[0]) == 0 && (get16(packet, 6) & kOffset) == 0; break;
    case 6: receive_tcp(packet, get32(packet, 12), payload, send); break;
    case 17:
      if (get16(payload, 2) == 68) offered_ip = get32(payload, 8 + 16);
      if (get16(payload, 2) == 4000) datagrams += as_text(payload.subspan(8));
      break;
    default: break;
  }
}

void ToyGuest::receive_tcp(ByteSpan, u32 from, ByteSpan segment, const Send& send) {
  const u8 flags = u8(segment[13]);
  const u32 sequence = get32(segment, 4);
  const std::string_view text = as_text(segment.subspan(std::size_t(u8(segment[12]) >> 4) * 4));
  if (flags & kSyn) {
    peer_ = from;
    peer_port_ = get16(segment, 0);
    port_ = get16(segment, 2);
    next_to_hear_ = sequence + 1;
    next_to_send_ = 1000;
    send_tcp(kSyn | kAck, "", send);
    next_to_send_ = 1001;
    return;
  }
  connected = connected || (flags & kAck);
  if (sequence == next_to_hear_) {
    heard += text;
    next_to_hear_ += u32(text.size()) + (flags & kFin ? 1 : 0);
  }
  if (!text.empty() || (flags & kFin)) send_tcp(kAck, "", send);
}

}  // namespace pollux::host::switching
