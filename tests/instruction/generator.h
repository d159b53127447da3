// Random cases for a row of the catalogue: an encoding with random registers, addressing mode, prefixes and
// immediates, and a state in which its memory operand lies where it is wanted: in the window, across the border of the
// two pages, across the end of memory, in the read-only page, at a non-canonical address.
#pragma once

#include "templates.h"
#include "values.h"

namespace pollux::test {

class Generator {
 public:
  explicit Generator(unsigned code_bits) : code_bits_(code_bits), catalogue_(make_catalogue(code_bits)) {}

  const Catalogue& catalogue() const { return catalogue_; }

  // Fills the case number `number` of the row from the seed; the same three give the same case. False: the row has
  // no encoding that can be tested.
  bool make(u64 seed, u64 number, u32 row, Input& out) const;

 private:
  struct Encoding;

  void random_state(Random& random, Input& out) const;
  bool encode(Random& random, const Row& row, Input& out) const;
  bool place_operand(Random& random, const Row& row, Encoding& encoding, Input& out) const;
  void place_implicit(Random& random, const Row& row, const cpu::decode::Decoded& decoded, Input& out) const;

  unsigned code_bits_;
  Catalogue catalogue_;
};

}  // namespace pollux::test
