#include "machine/boot/entry_state.h"

#include <array>

#include "base/check.h"
#include "machine/boot/low_memory.h"

namespace pollux::machine::boot {

using memory::GuestMemory;
using memory::kPageSize;
using memory::PhysAddr;

namespace {

constexpr u16 kCodeSelector = 0x10;
constexpr u16 kDataSelector = 0x18;
constexpr u16 kTaskSelector = 0x20;
constexpr u16 kCode64 = 0xa09b;  // G, L, present, code, readable, accessed
constexpr u16 kCode32 = 0xc09b;  // G, D, ...
constexpr u16 kData = 0xc093;    // G, B, present, data, writable, accessed
constexpr u16 kTask = 0x008b;    // present, 32- or 64-bit task state segment, busy
constexpr u32 kTaskLimit = 0x67;

constexpr u64 kCr0Protected = 1 << 0;
constexpr u64 kCr0MonitorCoprocessor = 1 << 1;
constexpr u64 kCr0ExtensionType = 1 << 4;
constexpr u64 kCr0NumericError = 1 << 5;
constexpr u64 kCr0WriteProtect = 1 << 16;
constexpr u64 kCr0Paging = u64{1} << 31;
constexpr u64 kCr4Pae = 1 << 5;
constexpr u64 kEferLongEnable = 1 << 8;
constexpr u64 kEferLongActive = 1 << 10;

constexpr u64 kPresentWritable = 3;
constexpr u64 kLargePage = 1 << 7;

u64 descriptor(u16 attributes, u32 limit_field) {
  return u64(limit_field & 0xffff) | u64(attributes & 0xff) << 40 | u64(limit_field >> 16 & 0xf) << 48 |
         u64(attributes >> 12 & 0xf) << 52;
}

void put(GuestMemory& memory, u64 at, u64 value) {
  POLLUX_CHECK(memory.store(PhysAddr(at), value), "low memory is always there");
}

void set_flat_segments(x86::State& state, GuestMemory& memory, u16 code) {
  const std::array<u64, 5> gdt{0, 0, descriptor(code, 0xfffff), descriptor(kData, 0xfffff),
                               descriptor(kTask, kTaskLimit)};
  for (u64 i = 0; i < gdt.size(); ++i) put(memory, kGdtAt + 8 * i, gdt[i]);
  state.gdtr = {.base = kGdtAt, .limit = u16(sizeof gdt - 1)};
  state.idtr = {.base = 0, .limit = 0};
  for (x86::Segment& s : state.segment)
    s = {.selector = kDataSelector, .attributes = kData, .limit = 0xffffffff, .base = 0};
  state.segment[x86::kCs] = {.selector = kCodeSelector, .attributes = code, .limit = 0xffffffff, .base = 0};
  state.segment[x86::kTr] = {.selector = kTaskSelector, .attributes = kTask, .limit = kTaskLimit, .base = 0};
  state.segment[x86::kLdtr] = {.selector = 0, .attributes = 0x82, .limit = 0xffff, .base = 0};
}

// Two-megabyte pages: not every processor model has larger ones.
void map_first_4_gigabytes(GuestMemory& memory) {
  constexpr u64 kDirectories = kPageTablesAt + 2 * kPageSize;
  put(memory, kPageTablesAt, (kPageTablesAt + kPageSize) | kPresentWritable);
  for (u64 gigabyte = 0; gigabyte < 4; ++gigabyte) {
    const u64 directory = kDirectories + gigabyte * kPageSize;
    put(memory, kPageTablesAt + kPageSize + 8 * gigabyte, directory | kPresentWritable);
    for (u64 i = 0; i < 512; ++i)
      put(memory, directory + 8 * i, (gigabyte << 30) | (i << 21) | kLargePage | kPresentWritable);
  }
}

// As firmware leaves them: memory is write-back, but for the hole of the graphics card below 1 MiB. A kernel that
// finds the range registers off takes all memory for uncached and gives up page attributes too.
void set_memory_types(x86::State& state) {
  constexpr u64 kEnabledFixedWriteBack = 0xc06;
  constexpr u64 kAllWriteBack = 0x0606060606060606;
  state.mtrr_def_type = kEnabledFixedWriteBack;
  state.mtrr_fixed.fill(kAllWriteBack);
  state.mtrr_fixed[2] = 0;  // MSR 0x259: a0000-bffff
}

x86::State powered_on() {
  x86::State state;
  state.reset();
  state.gpr.fill(0);
  state.rflags = 2;
  set_memory_types(state);
  state.x87 = {};  // as FNINIT leaves it; kernels reset it themselves
  return state;
}

}  // namespace

x86::State long_mode(GuestMemory& memory, u64 rip) {
  x86::State state = powered_on();
  set_flat_segments(state, memory, kCode64);
  map_first_4_gigabytes(memory);
  state.cr3 = kPageTablesAt;
  state.cr4 = kCr4Pae;
  state.efer = kEferLongEnable | kEferLongActive;
  state.cr0 = kCr0Paging | kCr0WriteProtect | kCr0NumericError | kCr0ExtensionType | kCr0MonitorCoprocessor |
              kCr0Protected;
  state.rip = rip;
  state.gpr[x86::kRsp] = kStackTop;
  return state;
}

x86::State protected_mode(GuestMemory& memory, u32 eip) {
  x86::State state = powered_on();
  set_flat_segments(state, memory, kCode32);
  state.cr0 = kCr0ExtensionType | kCr0Protected;
  state.rip = eip;
  state.gpr[x86::kRsp] = kStackTop;
  return state;
}

x86::State real_mode(u16 ip) {
  x86::State state = powered_on();
  state.segment[x86::kCs] = {.selector = 0, .attributes = 0x9b, .limit = 0xffff, .base = 0};
  state.cr0 = kCr0ExtensionType;
  state.idtr = {.base = 0, .limit = 0x3ff};
  state.rip = ip;
  state.gpr[x86::kRsp] = ip;
  state.gpr[x86::kRdx] = 0x80;
  return state;
}

}  // namespace pollux::machine::boot
