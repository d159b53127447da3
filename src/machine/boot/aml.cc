#include "machine/boot/aml.h"

#include "base/check.h"

namespace pollux::machine::boot::aml {

namespace {

constexpr u8 kExtended = 0x5b;
constexpr u8 kNameOp = 0x08, kScopeOp = 0x10, kBufferOp = 0x11, kPackageOp = 0x12, kDeviceOp = 0x82;
constexpr u8 kByte = 0x0a, kWord = 0x0b, kDword = 0x0c, kQword = 0x0e;

// PkgLength counts itself. One byte: bits 5-0. More: bits 3-0 of the first, bits 7-6 the count of the others.
Bytes with_length(const Bytes& body) {
  ByteWriter out;
  if (body.size() + 1 < 0x40) {
    out.put<u8>(u8(body.size() + 1));
  } else {
    u64 more = 1;
    while ((body.size() + 1 + more) >> (4 + 8 * more)) ++more;
    POLLUX_CHECK(more <= 3, "AML packages are small");
    const u64 length = body.size() + 1 + more;
    out.put<u8>(u8(more << 6 | (length & 0xf)));
    for (u64 i = 0; i < more; ++i) out.put<u8>(u8(length >> (4 + 8 * i)));
  }
  out.put_bytes(body);
  return out.take();
}

Term block(std::initializer_list<u8> op, const Bytes& body) {
  ByteWriter out;
  for (const u8 byte : op) out.put<u8>(byte);
  out.put_bytes(with_length(body));
  return Term(out.take());
}

Bytes name_string(std::string_view name) {
  ByteWriter out;
  if (name.starts_with('\\')) {
    out.put<char>('\\');
    name.remove_prefix(1);
    if (name.empty()) {  // the root itself: a null name
      out.put<u8>(0);
      return out.take();
    }
  }
  POLLUX_CHECK(!name.empty() && name.size() <= 4, "an AML name has up to four characters");
  for (u64 i = 0; i < 4; ++i) out.put<char>(i < name.size() ? name[i] : '_');
  return out.take();
}

template <class T>
Term address_window(u8 descriptor, u8 type, u8 type_flags, T first, T last) {
  constexpr u8 kBothEndsFixed = 0x0c;
  ByteWriter out;
  out.put<u8>(descriptor);
  out.put<u16>(u16(3 + 5 * sizeof(T)));
  out.put<u8>(type);
  out.put<u8>(kBothEndsFixed);
  out.put<u8>(type_flags);
  out.put<T>(0);  // granularity
  out.put<T>(first);
  out.put<T>(last);
  out.put<T>(0);  // translation
  out.put<T>(T(last - first + 1));
  return Term(out.take());
}

}  // namespace

Term integer(u64 value) {
  ByteWriter out;
  if (value <= 1) {
    out.put<u8>(u8(value));  // ZeroOp, OneOp
  } else if (value <= 0xff) {
    out.put<u8>(kByte);
    out.put<u8>(u8(value));
  } else if (value <= 0xffff) {
    out.put<u8>(kWord);
    out.put<u16>(u16(value));
  } else if (value <= 0xffff'ffff) {
    out.put<u8>(kDword);
    out.put<u32>(u32(value));
  } else {
    out.put<u8>(kQword);
    out.put<u64>(value);
  }
  return Term(out.take());
}

// Three letters of five bits and four hexadecimal digits, big-endian.
Term eisa_id(std::string_view id) {
  POLLUX_CHECK(id.size() == 7, "an EISA identifier has three letters and four digits");
  u32 value = u32(id[0] - '@') << 26 | u32(id[1] - '@') << 21 | u32(id[2] - '@') << 16;
  for (int i = 0; i < 4; ++i) {
    const char digit = id[3 + i];
    value |= u32(digit <= '9' ? digit - '0' : digit - 'A' + 10) << (12 - 4 * i);
  }
  return integer(__builtin_bswap32(value));
}

Term named(std::string_view name, const Term& value) {
  ByteWriter out;
  out.put<u8>(kNameOp);
  out.put_bytes(name_string(name));
  return Term(out.take()) + value;
}

Term scope(std::string_view name, const Term& body) {
  return block({kScopeOp}, (Term(name_string(name)) + body).bytes());
}

Term device(std::string_view name, const Term& body) {
  return block({kExtended, kDeviceOp}, (Term(name_string(name)) + body).bytes());
}

Term package(const std::vector<Term>& elements) {
  POLLUX_CHECK(elements.size() <= 255, "an AML package has at most 255 elements");
  Term body(Bytes{std::byte(elements.size())});
  for (const Term& element : elements) body = std::move(body) + element;
  return block({kPackageOp}, body.bytes());
}

Term ports(u16 first, u8 count) {
  ByteWriter out;
  out.put<u8>(0x47);  // small descriptor 8, 7 bytes
  out.put<u8>(1);     // 16-bit decode
  out.put<u16>(first);
  out.put<u16>(first);
  out.put<u8>(1);  // alignment
  out.put<u8>(count);
  return Term(out.take());
}

Term irq(u8 number) {
  ByteWriter out;
  out.put<u8>(0x22);  // small descriptor 4, 2 bytes: edge, active high, exclusive
  out.put<u16>(u16(1 << number));
  return Term(out.take());
}

Term bus_window(u16 first, u16 last) { return address_window<u16>(0x88, 2, 0, first, last); }
Term port_window(u16 first, u16 last) { return address_window<u16>(0x88, 1, 3, first, last); }
Term memory_window(u64 base, u64 size) {
  POLLUX_CHECK(base + size <= (u64{1} << 32), "a 32-bit window ends below 4 GiB");
  return address_window<u32>(0x87, 0, 1, u32(base), u32(base + size - 1));
}
Term memory_window_64(u64 base, u64 size) { return address_window<u64>(0x8a, 0, 1, base, base + size - 1); }

Term resources(const Term& descriptors) {
  const Term content = descriptors + Term(Bytes{std::byte{0x79}, std::byte{0}});
  return block({kBufferOp}, (integer(content.bytes().size()) + content).bytes());
}

}  // namespace pollux::machine::boot::aml
