// Whatever code and page tables a guest has, the translator does what the interpreter does, ends, and touches no host
// memory but the guest's: the pages around it are not accessible, and what the guest has is compared whole.
//
// The input: a head that says the privilege level, control and flags; page-table entries and bytes to be put at
// places; then the code.
#include <sys/mman.h>

#include "base/check.h"
#include "cpu/interpret/test_machine.h"
#include "cpu/translate/translator.h"
#include "host/code_memory.h"

namespace pollux::cpu::translate {
namespace {

constexpr u64 kMemory = 1 << 20, kGuard = 1 << 20, kCodeBytes = 1 << 20;
constexpr u64 kCode = 0x1000, kIdt = 0x6000, kTss = 0x7000, kGdt = 0x8000, kStack = 0xa000, kTables = 0x10000;
constexpr u64 kEnd = 400;

// Guest memory between pages that nothing may touch. One region for all runs: making one takes longer than a run.
memory::Region guarded_region() {
  void* all = ::mmap(nullptr, kMemory + 2 * kGuard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  POLLUX_CHECK(all != MAP_FAILED, "no memory");
  auto* base = static_cast<std::byte*>(all) + kGuard;
  POLLUX_CHECK(::mprotect(base, kMemory, PROT_READ | PROT_WRITE) == 0, "no memory");
  return {std::shared_ptr<std::byte>(base, [](std::byte*) {}), kMemory};
}

class Subject {
 public:
  explicit Subject(bool translate) : region_(guarded_region()), memory_(region_) {
    if (translate) {
      const auto code = host::map_code_memory(kCodeBytes);
      POLLUX_CHECK(code, "no memory for translated code");
      cpu_ = std::make_unique<Translator>(memory_, bus_, *code, kImpatient);
    } else {
      cpu_ = interpret::make_interpreter(memory_, bus_);
    }
    bus_.cpu = cpu_.get();
  }

  void run(ByteSpan input) {
    start();
    ByteReader in(input);
    x86::State& s = cpu_->state();
    const u8 head = in.get<u8>();
    s.rflags = 2 | (in.get<u16>() & 0x4cd5);
    s.cr0 |= (head & 2 ? x86::kCr0Wp : 0u) | (head & 4 ? x86::kCr0Am : 0u) | (head & 8 ? x86::kCr0Ts : 0u);
    s.cr4 |= head & 16 ? x86::kCr4Smep | x86::kCr4Smap : 0u;
    privilege(head & 1 ? 3 : 0);
    for (unsigned reg = 0; reg < 16; ++reg) s.gpr[reg] = reg == x86::kRsp ? kStack : u64{in.get<u8>()} << (reg & 7) * 2;
    for (unsigned n = in.get<u8>() % 8; n && in.ok(); --n) {  // entries of the tables, and bytes anywhere
      const u16 at = in.get<u16>();
      if (at & 1) {
        memory_.store(memory::PhysAddr(kTables + (at & 0x3ff8)), in.get<u64>());
      } else {
        memory_.write(memory::PhysAddr(u64{at} << 4), in.get_bytes(in.get<u8>() % 16));
      }
    }
    const u8 slices = in.get<u8>();
    if (in.ok()) memory_.write(memory::PhysAddr(kCode), in.get_bytes(std::min<std::size_t>(in.left(), 0x1000)));
    s.rip = kCode;
    cpu_->state_changed();
    const u64 slice = slices ? slices * 2u : kEnd;
    for (u64 at = slice; at <= kEnd; at += slice) {
      const StopReason reason = cpu_->run(door::Position(at));
      if (reason == StopReason::kHalted || reason == StopReason::kShutdown) break;
    }
  }

  u64 digest() {
    for (u64 at = 0; at < kMemory; at += memory::kPageSize) {
      if (memory_.dirty(memory::PhysAddr(at))) used_.push_back(at);
    }
    DigestVisitor v;
    cpu_->visit(v);
    v.field("accesses", accesses());
    return v.digest() ^ memory_.digest();
  }

 private:
  u64& accesses() {
    counted_ = 0;
    for (const auto* list : {&bus_.reads, &bus_.writes}) {
      for (const auto& a : *list) counted_ = (counted_ ^ a.at ^ u64{a.size} << 48 ^ a.position << 20) * 0x9e3779b97f4a7c15;
    }
    return counted_;
  }
  void put(u64 at, u64 value) { memory_.store(memory::PhysAddr(at), value); }

  void start() {
    for (const u64 at : used_) {
      memory_.note_write(memory::PhysAddr(at), memory::kPageSize);
      std::memset(region_.base.get() + at, 0, memory::kPageSize);
    }
    used_.clear();
    bus_.reads.clear();
    bus_.writes.clear();
    bus_.output.clear();
    bus_.mmio.clear();
    bus_.priority = 0;
    // Pages of 4 KiB: 1 MiB itself, for both levels; the second MiB is not mapped; the rest is device memory.
    put(kTables, (kTables + 0x1000) | 7);
    put(kTables + 0x1000, (kTables + 0x2000) | 7);
    put(kTables + 0x2000, (kTables + 0x3000) | 7);
    // The handlers' pages are the supervisor's, so that they run under SMEP and SMAP.
    const auto rights = [](u64 page) { return page == 3 || (page >= 6 && page <= 8) || (page >= 11 && page <= 13) ? 3u : 7u; };
    for (u64 n = 0; n < 256; ++n) put(kTables + 0x3000 + n * 8, n << 12 | rights(n));
    put(kTables + 0x2008, 0xf000'0087);
    put(kGdt + 0x08, 0x00af9b000000ffff);
    put(kGdt + 0x10, 0x00cf93000000ffff);
    put(kGdt + 0x18, 0x00cff3000000ffff);
    put(kGdt + 0x20, 0x00affb000000ffff);
    // Each handler skips a byte: add qword [rsp + 0 or 8], 1; inc dword [0xd000]; iretq, with the error code taken off.
    const u8 plain[] = {0x48, 0xff, 0x04, 0x24, 0xff, 0x04, 0x25, 0, 0xd0, 0, 0, 0x48, 0xcf};
    const u8 with_code[] = {0x48, 0x83, 0xc4, 0x08, 0x48, 0xff, 0x04, 0x24, 0xff, 0x04, 0x25, 0, 0xd0, 0, 0, 0x48, 0xcf};
    memory_.store(memory::PhysAddr(0x3000), std::to_array(plain));
    memory_.store(memory::PhysAddr(0x3100), std::to_array(with_code));
    for (unsigned vector = 0; vector < 65; ++vector) {
      const bool code = vector < 32 && x86::has_error_code(x86::Exception(vector));
      put(kIdt + vector * 16, (code ? 0x3100 : 0x3000) | u64{8} << 16 | u64{1} << 32 | u64{0xee} << 40);
    }
    put(kTss + 4, 0xc000);
    put(kTss + 0x24, 0xc000);
    x86::State& s = cpu_->state();
    s.reset();
    s.cr0 = x86::kCr0Pe | x86::kCr0Pg | x86::kCr0Et | x86::kCr0Ne;
    s.cr3 = kTables;
    s.cr4 = x86::kCr4Pae | x86::kCr4Osfxsr | x86::kCr4Osxmmexcpt | x86::kCr4Fsgsbase;
    s.efer = x86::kEferLme | x86::kEferLma | x86::kEferSce | x86::kEferNxe;
    s.gdtr = {.base = kGdt, .limit = 0x27};
    s.idtr = {.base = kIdt, .limit = 65 * 16 - 1};
    s.segment[x86::kTr] = {.selector = 0x28, .attributes = 0x8b, .limit = 0x67, .base = kTss};
    s.lstar = 0x3000;
    s.star = u64{0x10} << 48 | u64{8} << 32;
    cpu_->set_interrupt_line(false);
    cpu_->set_position(door::Position(0));
  }

  void privilege(unsigned level) {
    x86::State& s = cpu_->state();
    const u16 dpl = u16(level << 5);
    s.segment[x86::kCs] = {u16(level ? 0x23 : 0x08), u16(0xa09b | dpl), ~u32{0}, 0};
    for (const x86::SegmentName n : {x86::kEs, x86::kSs, x86::kDs, x86::kFs, x86::kGs}) {
      s.segment[n] = {u16(level ? 0x1b : 0x10), u16(0xc093 | dpl), ~u32{0}, 0};
    }
  }

  memory::Region region_;
  memory::GuestMemory memory_;
  interpret::TestBus bus_;
  std::unique_ptr<Cpu> cpu_;
  u64 counted_ = 0;
  std::vector<u64> used_;  // pages that the last run wrote
};

void fuzz(ByteSpan input) {
  static Subject interpreter(false), translator(true);
  interpreter.run(input);
  translator.run(input);
  POLLUX_CHECK(interpreter.digest() == translator.digest(), "the engines differ");
}

}  // namespace
}  // namespace pollux::cpu::translate

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pollux::cpu::translate::fuzz(std::as_bytes(std::span(data, size)));
  return 0;
}
