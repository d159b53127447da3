// Translations by physical address and mode, and the code region that they are in.
//
// The region has several parts, filled in turn; where the next one begins, what it held is dropped. So what was made
// earlier is dropped earlier, or together, and only later code that led there needs to be changed back.
//
// Invariants
//  1. A translation's guest bytes equal guest memory: the pages that they are in are watched, and a write to one drops
//     all translations that begin there, and those that go there from other pages, before the write happens.
//  2. A dropped translation's code stays where it is until its part is filled again, because it may be running.
//  3. Links lead from a page to itself in the same mode, and when it changes, its translations are dropped together.
//     Links to other pages (link_far) are cut when the translations there are dropped.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "cpu/interpret/instruction.h"
#include "cpu/translate/assembler.h"
#include "cpu/translate/translation_index.h"
#include "memory/address.h"
#include "memory/code_region.h"

namespace pollux::cpu::translate {

// Translated code of one trace. There are hundreds of thousands, and looking for one reads it: it is small.
struct Translation {
  Translation* next = nullptr;       // of the page
  const u8* memory_entry = nullptr;  // an executable address; entered with the guest's flags in memory
  std::array<u16, 4> jumps{};        // the jump entries that lead here, and perhaps some that do no more
  // Jumps of its page that lead here: the last ones, as distances in the region. Of an instruction that crosses a page,
  // to which none leads: the number of the page where it ends.
  std::array<u32, 2> links{};
  u32 page = 0;    // its number
  u16 offset = 0;  // in the page
  u16 mode = 0;
  u16 heat = 0;       // Frame::heat that counts it
  u16 changed = 0;    // registers, as bits, before the flags are overwritten
  u8 steps = 0;       // 0: the first instruction is for the interpreter; the code only says so
  u8 host_before = 0;  // bytes from host_entry() to memory_entry
  u8 lazy_behind = 0;  // bytes from memory_entry to lazy_entry(); 0: there is none
  u8 jump_count : 3 = 0;
  bool dropped : 1 = false;   // not to be found any more
  bool counts : 1 = false;    // how often it is entered, and becomes hot
  bool crosses : 1 = false;   // it has no steps: its first instruction reaches into the next page

  u64 physical() const { return u64{page} << memory::kPageShift | offset; }
  u32& second_page() { return links[0]; }
  std::span<const u16> known_jumps() const { return std::span(jumps).first(jump_count); }
  // Entered with the guest's flags in the host's.
  const u8* host_entry() const { return memory_entry - host_before; }
  // Entered with the flags pending, if they follow from others; nullptr: never.
  const u8* lazy_entry() const { return lazy_behind ? memory_entry + lazy_behind : nullptr; }
};
static_assert(sizeof(Translation) == 48);

class TranslationCache {
 public:
  // region: at least 1 MiB.
  // dropped is told of translations that are not to be found any more.
  using Dropped = std::function<void(std::span<Translation* const>)>;
  TranslationCache(memory::CodeRegion region, Dropped dropped);

  Translation* find(u64 physical, u32 mode) const { return index_.find(physical, mode); }
  Translation& add(u64 physical, u32 mode);
  // Code at at is about to be changed, once, so that it leads to an entry of to, in the same page.
  void will_change(std::span<const u8> at, const Translation& to);
  // The displacement of a jump from the same page, which leads there.
  void note_link(Translation& to, const u8* displacement);
  // Those that lead to from lead to to from now on, if they are among the last ones.
  void move_links(const Translation& old, const u8* from, const u8* to);
  // Another one of the same key has taken its place, and its code leads there: it is found no more. dropped is not told.
  void replace(Translation& old);
  // It depends on that page, too: is dropped when that changes.
  void reaches(const Translation& t, u64 second_page);
  // A link from one page to another, in code that was executed just now: is cut when the translations of that page
  // are dropped. Writable addresses, but for code.
  void link_far(u8* place, u8* jump, u64 to_page, const u8* code, u32 epoch);
  // Likewise, but the trace itself goes on there; it depends on that page (reaches), and can be linked again.
  void link_entry(u8* place, u64 to_page, u32 epoch);
  void cut_far_links();
  // Of a page that changes. False: there are none. Invariant 2 and 3 hold for what is replaced, too.
  bool drop_page(u64 physical_page);

  // What usually runs, and what seldom does: in chunks of the part.
  Assembler& hot() { return hot_; }
  Assembler& cold() { return cold_; }
  i64 executable() const { return i64(region_.execute - region_.write); }
  const u8* end() const { return region_.write + region_.size; }
  // Instructions that the part's code lends to the interpreter: a number for each.
  u32 add_lent(const interpret::Instruction& lent);
  const interpret::Instruction& lent(u32 number) { return parts_[number >> kLentBits].lent[number & kLentMask]; }

  // What is hot so far stays for ever.
  void keep_so_far() { first_ = hot_.at(); }
  // Whether the part has so much room, at most a chunk, for either.
  bool has_room(u64 bytes) { return has_room(hot_, bytes) && has_room(cold_, bytes); }
  // Goes on in the next part, and drops what was there.
  void make_room();
  // Forgets everything; no translation may run.
  void flush();

 private:
  static constexpr u64 kMostParts = 8, kSmallestPart = 256 << 10, kChunksInPart = 32, kSmallestChunk = 32 << 10;
  static constexpr unsigned kLentBits = 24;
  static constexpr u32 kLentMask = (1u << kLentBits) - 1;
  struct FarLink {
    u8* place;
    u32 filling;  // of its part
    u32 jump;     // from there, the displacement; 0: there is none
  };
  // Of later code, what it was.
  struct Change {
    static constexpr unsigned kMost = 17;
    u32 at;  // a distance in the region
    u8 size;
    std::array<u8, kMost> bytes;
  };
  struct Part {
    u32 filling = 0;  // which one it is, of all
    u8* begin = nullptr;
    u8* end = nullptr;
    std::deque<Translation> translations;
    std::vector<Change> changes;  // so that code leads here
    std::deque<interpret::Instruction> lent;
  };
  void hide(Translation& t);  // from find()
  bool forget_page(u64 physical_page);
  void begin_part(unsigned number);
  // code: a writable address.
  Part& part_of(const u8* code) { return parts_[u64(code - region_.write) / (region_.size / parts_.size())]; }
  Part& part_of(const Translation& t) { return part_of(t.memory_entry - executable()); }
  bool is_there(const FarLink& link) { return part_of(link.place).filling == link.filling; }
  void cut(const FarLink& link);
  void drop_part(Part& part);
  void cut_far_links(u64 to_page, const Part& part);  // to what is in the part
  template <class Leaves>
  void leave_list(u64 physical_page, Leaves leaves);
  bool has_room(Assembler& a, u64 bytes);

  memory::CodeRegion region_;
  Dropped dropped_;
  std::vector<Part> parts_;
  u64 chunk_ = 0;             // bytes
  unsigned part_ = 0;         // that is being filled
  u32 fillings_ = 0;
  u8* first_ = nullptr;       // behind what stays for ever
  u8* next_chunk_ = nullptr;  // of the part
  Assembler hot_, cold_;
  TranslationIndex index_;
  std::unordered_map<u64, Translation*> by_page_;      // lists of those that are not dropped
  std::unordered_map<u64, std::vector<u64>> reached_;  // from which pages, perhaps no longer
  std::unordered_map<u64, std::vector<FarLink>> far_;  // to pages
  std::vector<Translation*> page_;                     // that is being dropped
};

}  // namespace pollux::cpu::translate
