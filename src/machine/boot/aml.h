// A few words of ACPI machine language: each function returns the encoding of one term; terms are joined with +.
//   device("COM1", named("_UID", integer(1)) + named("_CRS", resources(ports(...) + irq(4))))
// Source: ACPI specification 6.4, chapter 20 (AML) and section 6.4 (resource descriptors).
#pragma once

#include <string_view>

#include "base/bytes.h"

namespace pollux::machine::boot::aml {

class Term {
 public:
  Term() = default;
  explicit Term(Bytes bytes) : bytes_(std::move(bytes)) {}
  const Bytes& bytes() const { return bytes_; }
  friend Term operator+(Term left, const Term& right) {
    left.bytes_.insert(left.bytes_.end(), right.bytes_.begin(), right.bytes_.end());
    return left;
  }

 private:
  Bytes bytes_;
};

Term integer(u64 value);
Term eisa_id(std::string_view id);  // "PNP0A03"

// name: a segment of up to four characters (padded), with a leading backslash for the root.
Term named(std::string_view name, const Term& value);
Term scope(std::string_view name, const Term& body);
Term device(std::string_view name, const Term& body);
Term package(const std::vector<Term>& elements);  // at most 255

// Resource descriptors, and the buffer that holds them with its end tag.
Term ports(u16 first, u8 count);
Term irq(u8 number);  // edge, active high, exclusive: as on the ISA bus
Term bus_window(u16 first, u16 last);
Term port_window(u16 first, u16 last);
Term memory_window(u64 base, u64 size);  // below 4 GiB
Term memory_window_64(u64 base, u64 size);
Term resources(const Term& descriptors);

}  // namespace pollux::machine::boot::aml
