#include "base/visit.h"

#include "base/checksum.h"

namespace pollux {

void DigestVisitor::raw(std::string_view name, std::span<std::byte> bytes) {
  digest_ = checksum(as_bytes(name), digest_);
  digest_ = checksum(bytes, digest_);
}

void DigestVisitor::sized(std::string_view name, Bytes& bytes) {
  raw(name, bytes);
  digest_ += bytes.size();
}

void DigestVisitor::enter(std::string_view component) { digest_ = checksum(as_bytes(component), digest_); }

void SaveVisitor::raw(std::string_view, std::span<std::byte> bytes) { out_.put_bytes(bytes); }

void SaveVisitor::sized(std::string_view, Bytes& bytes) { out_.put_sized(bytes); }

void LoadVisitor::raw(std::string_view, std::span<std::byte> bytes) {
  const ByteSpan from = in_.get_bytes(bytes.size());
  if (in_.ok()) std::memcpy(bytes.data(), from.data(), bytes.size());
}

void LoadVisitor::sized(std::string_view, Bytes& bytes) {
  const ByteSpan from = in_.get_sized();
  bytes.assign(from.begin(), from.end());
}

void ListVisitor::raw(std::string_view name, std::span<std::byte> bytes) {
  std::string path;
  for (const std::string& part : path_) path += part + ".";
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex = bytes.size() <= 8 ? "0x" : "";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const u8 byte = u8(bytes[bytes.size() <= 8 ? bytes.size() - 1 - i : i]);
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  lines_.emplace_back(path + std::string(name), std::move(hex));
}

void ListVisitor::sized(std::string_view name, Bytes& bytes) { raw(name, bytes); }

void ListVisitor::enter(std::string_view component) { path_.emplace_back(component); }

void ListVisitor::leave() { path_.pop_back(); }

}  // namespace pollux
