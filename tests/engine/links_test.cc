// What leads from code to code must not outlive what it was made for: loops that go to another page, whose code or whose
// mapping changes in the middle, and programs that go to the kernel and back.
#include <gtest/gtest.h>

#include "engines.h"

namespace pollux::test::engine {
namespace {

using cpu::StopReason;

class Links : public testing::TestWithParam<const char*> {};

constexpr u8 kHlt = 0xf4;

// So many that code is hot before the change, and again behind it.
constexpr u32 kTurns = 2000, kBefore = 1001, kBehind = kTurns - kBefore;

// At from: call to; cmp ecx, kBehind + 1; jne over; change; over: dec ecx; jnz back; hlt. ecx is kTurns at the
// beginning.
std::vector<u8> loop(u32 from, u32 to, const std::vector<u8>& change) {
  std::vector<u8> code = {0xe8};
  put32(code, to - (from + 5));
  for (const u8 byte : {0x81, 0xf9}) code.push_back(byte);
  put32(code, kBehind + 1);
  for (const u8 byte : {u8(0x75), u8(change.size())}) code.push_back(byte);
  for (const u8 byte : change) code.push_back(byte);
  const u8 back = u8(-i64(code.size() + 4));
  for (const u8 byte : {u8(0xff), u8(0xc9), u8(0x75), back, kHlt}) code.push_back(byte);
  return code;
}

const std::vector<u8> kIncRax = {0x48, 0xff, 0xc0, 0xc3}, kIncRbx = {0x48, 0xff, 0xc3, 0xc3};  // and ret

void expect_both(Machine& m) {
  ASSERT_EQ(m.run(100'000), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRax], kBefore);
  EXPECT_EQ(m.state().gpr[x86::kRbx], kBehind);
}

TEST_P(Links, CodeInAnotherPageIsWrittenToInTheMiddle) {
  Machine m(GetParam());
  m.long_mode();
  m.state().gpr[x86::kRcx] = kTurns;
  m.bytes(0x5000, kIncRax);
  m.code(loop(0x1000, 0x5000, {0xc6, 0x04, 0x25, 0x02, 0x50, 0, 0, 0xc3}));  // mov byte [0x5002], 0xc3: rbx
  expect_both(m);
}

// As libraries call each other: code calls a jump through a cell.
TEST_P(Links, ACellThatIsJumpedThroughChangesInTheMiddle) {
  Machine m(GetParam());
  m.long_mode();
  m.state().gpr[x86::kRcx] = kTurns;
  m.bytes(0x5000, kIncRax);
  m.bytes(0x7000, kIncRbx);
  m.put<u64>(0x6000, 0x5000);
  m.bytes(0x1800, {0xff, 0x25, 0xfa, 0x47, 0, 0});                                 // jmp [0x6000]
  m.code(loop(0x1000, 0x1800, {0xc7, 0x04, 0x25, 0, 0x60, 0, 0, 0, 0x70, 0, 0}));  // mov dword [0x6000], 0x7000
  expect_both(m);
}

// call rdi instead of a call to an address, and mov edi, 0x7000 in the middle.
TEST_P(Links, ARegisterThatIsCalledThroughChangesInTheMiddle) {
  Machine m(GetParam());
  m.long_mode();
  m.state().gpr[x86::kRcx] = kTurns;
  m.state().gpr[x86::kRdi] = 0x5000;
  m.bytes(0x5000, kIncRax);
  m.bytes(0x7000, kIncRbx);
  std::vector<u8> code = {0xff, 0xd7, 0x81, 0xf9};
  put32(code, kBehind + 1);
  for (const u8 byte : {0x75, 5, 0xbf, 0, 0x70, 0, 0, 0xff, 0xc9, 0x75, 0xed}) code.push_back(u8(byte));
  code.push_back(kHlt);
  m.code(code);
  expect_both(m);
}

// A function that has returned to one place for a while is called from another; in their page, and far away.
TEST_P(Links, AFunctionReturnsToWhoeverHasCalledIt) {
  for (const u32 function : {0x1800u, 0x5000u}) {
    Machine m(GetParam());
    m.long_mode();
    m.state().gpr[x86::kRcx] = kTurns;
    std::vector<u8> code;
    for (unsigned n = 0; n < 30; ++n) code.insert(code.end(), {0x48, 0xff, 0xc0});  // inc rax
    code.push_back(0xc3);
    m.bytes(function, code);
    const u8 near = u8((function - 0x1005) >> 8), next = u8((function - 0x1013) >> 8);
    // first: call function; dec ecx; jnz first; mov ecx, 1000; second: call function; inc rbx; dec ecx; jnz second; hlt
    m.code({0xe8, u8(function - 0x1005), near, 0, 0, 0xff, 0xc9, 0x75, 0xf7, 0xb9, 0xe8, 3,    0,   0,
            0xe8, u8(function - 0x1013), next, 0, 0, 0x48, 0xff, 0xc3, 0xff, 0xc9, 0x75, 0xf4, kHlt});
    ASSERT_EQ(m.run(1'000'000), StopReason::kHalted);
    EXPECT_EQ(m.state().gpr[x86::kRax], (kTurns + 1000) * 30);
    EXPECT_EQ(m.state().gpr[x86::kRbx], 1000u);
  }
}

// At 1 GiB: the page at 0x20000, which adds to rax. The one at 0x21000 adds to rbx.
void load_pages(Machine& m) {
  m.long_mode();
  m.map_at_1_gib({0x20000});
  m.bytes(0x20000, kIncRax);
  m.bytes(0x21000, kIncRbx);
  m.state().gpr[x86::kRcx] = kTurns;
}

// An address space in four pages that differs in what is at 1 GiB: pages, each so far behind the one before.
void put_space(Machine& m, u64 at, u64 page, u64 pages, u64 step) {
  m.put<u64>(at, (at + 0x1000) | 7);
  m.put<u64>(at + 0x1000, 0x12000 | 7);
  m.put<u64>(at + 0x1008, (at + 0x2000) | 7);
  m.put<u64>(at + 0x2000, (at + 0x3000) | 7);
  for (u64 n = 0; n < pages; ++n) m.put<u64>(at + 0x3000 + 8 * n, (page + n * step) | 3);
}

constexpr u64 kOtherSpace = 0x30000;

TEST_P(Links, AnotherPageIsMappedInTheMiddle) {
  Machine m(GetParam());
  load_pages(m);
  m.code(loop(0x1000, 0x4000'0000, {0xc7, 0x04, 0x25, 0, 0x40, 1, 0, 3, 0x10, 2, 0}));  // mov dword [0x14000], 0x21003
  expect_both(m);
}

TEST_P(Links, AnotherAddressSpaceIsEnteredInTheMiddle) {
  Machine m(GetParam());
  load_pages(m);
  put_space(m, kOtherSpace, 0x21000, 1, 0);
  m.code(loop(0x1000, 0x4000'0000, {0xbf, 0, 0, 3, 0, 0x0f, 0x22, 0xdf}));  // mov edi, 0x30000; mov cr3, rdi
  expect_both(m);
}

// Three addresses in turn, so that calls search, and two address spaces in turn that map them to other functions, so
// that a search finds the address in the other context. next: call rdi; add rdi, 0x1000; cmp rdi, r8; cmove rdi, r9;
// mov cr3, rsi; xchg rsi, rdx; dec ecx; jnz next; hlt
constexpr unsigned kSearches = 10'000;

void load_searches(Machine& m) {
  load_pages(m);
  m.map_at_1_gib({0x20000, 0x20000, 0x20000});
  put_space(m, kOtherSpace, 0x21000, 3, 0);
  m.state().gpr[x86::kRdi] = m.state().gpr[x86::kR9] = 0x4000'0000;
  m.state().gpr[x86::kR8] = 0x4000'3000;
  m.state().gpr[x86::kRsi] = kOtherSpace;
  m.state().gpr[x86::kRdx] = 0x10000;
  m.state().gpr[x86::kRcx] = kSearches;
  m.code({0xff, 0xd7, 0x48, 0x81, 0xc7, 0,    0x10, 0,    0,    0x4c, 0x39, 0xc7, 0x49, 0x0f,
          0x44, 0xf9, 0x0f, 0x22, 0xde, 0x48, 0x87, 0xd6, 0xff, 0xc9, 0x75, 0xe6, kHlt});
}

TEST_P(Links, EachCallThatSearchesIsInAnotherAddressSpace) {
  Machine m(GetParam());
  load_searches(m);
  ASSERT_EQ(m.run(u64{1} << 40), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRax], kSearches / 2);
  EXPECT_EQ(m.state().gpr[x86::kRbx], kSearches / 2);
}

TEST(Links, CallsThatFindTheOtherContextAreTranslated) {
  Machine m("translate");
  load_searches(m);
  ASSERT_EQ(m.run(u64{1} << 40), StopReason::kHalted);
  EXPECT_LT(m.counted("engine.interpreted_steps"), kSearches / 10);
}

// Calls to 512 functions in other address spaces than the call before, where others are in their place: more often than
// contexts have numbers, so that numbers come again, and what was known of them must not.
constexpr u64 kCalls = 200'000, kFunctionPages = 128, kSpace = 0x4000, kFirstSpace = 0x200000;

// next: imul r10d, r10d, 0x19660d; add r10d, 0x3c6ef35f; mov edi, r10d; shr edi, 23; shl edi, 10; bts edi, 30; call
// rdi; change; dec ecx; jnz next; hlt
void load_calls_of_functions(Machine& m, const std::vector<u8>& change) {
  for (u64 n = 0; n < kFunctionPages * 4; ++n) {
    m.bytes(0x100000 + n * 0x400, kIncRax);
    m.bytes(0x180000 + n * 0x400, kIncRbx);
  }
  m.state().gpr[x86::kRcx] = kCalls;
  std::vector<u8> code = {0x45, 0x69, 0xd2, 0x0d, 0x66, 0x19, 0,    0x41, 0x81, 0xc2, 0x5f, 0xf3, 0x6e, 0x3c, 0x44,
                          0x89, 0xd7, 0xc1, 0xef, 0x17, 0xc1, 0xe7, 0x0a, 0x0f, 0xba, 0xef, 0x1e, 0xff, 0xd7};
  code.insert(code.end(), change.begin(), change.end());
  const u8 back = u8(-i64(code.size() + 4));
  code.insert(code.end(), {0xff, 0xc9, 0x75, back, kHlt});
  m.code(code);
}

void load_functions(Machine& m) {
  m.long_mode();
  put_space(m, kFirstSpace, 0x100000, kFunctionPages, memory::kPageSize);
  m.put<u64>(0x11008, (kFirstSpace + 0x2000) | 7);
}

void expect_half_each(Machine& m) {
  ASSERT_EQ(m.run(10'000'000), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRax], kCalls / 2);
  EXPECT_EQ(m.state().gpr[x86::kRbx], kCalls / 2);
}

// xchg [kFirstSpace + 0x2000], rsi; mov cr3, rdx
TEST_P(Links, OtherFunctionsAreMappedBeforeEachCall) {
  Machine m(GetParam());
  load_functions(m);
  put_space(m, kFirstSpace + kSpace, 0x180000, kFunctionPages, memory::kPageSize);
  m.state().gpr[x86::kRsi] = (kFirstSpace + kSpace + 0x3000) | 7;
  m.state().gpr[x86::kRdx] = 0x10000;
  load_calls_of_functions(m, {0x48, 0x87, 0x34, 0x25, 0, 0x20, 0x20, 0, 0x0f, 0x22, 0xda});
  expect_half_each(m);
}

// More spaces than the MMU remembers. add rsi, kSpace; cmp rsi, r8; cmove rsi, r9; mov cr3, rsi
TEST_P(Links, AnotherOfManyAddressSpacesIsEnteredBeforeEachCall) {
  constexpr u64 kSpaces = 40;
  Machine m(GetParam());
  load_functions(m);
  for (u64 n = 1; n < kSpaces; ++n)
    put_space(m, kFirstSpace + n * kSpace, n % 2 ? 0x180000 : 0x100000, kFunctionPages, memory::kPageSize);
  m.state().gpr[x86::kRsi] = m.state().gpr[x86::kR9] = kFirstSpace;
  m.state().gpr[x86::kR8] = kFirstSpace + kSpaces * kSpace;
  load_calls_of_functions(
      m, {0x48, 0x81, 0xc6, 0, 0x40, 0, 0, 0x4c, 0x39, 0xc6, 0x49, 0x0f, 0x44, 0xf1, 0x0f, 0x22, 0xde});
  expect_half_each(m);
}

// One page is mapped at two addresses, behind which other pages follow.
TEST_P(Links, APageThatIsMappedTwiceLeadsOnFromEach) {
  Machine m(GetParam());
  load_pages(m);
  m.map_at_1_gib({0x22000, 0x20000, 0x22000, 0x21000});
  m.bytes(0x22000, {0xe8, 0xfb, 0x0f, 0, 0, 0xff, 0xc9, 0x75, 0xf7, 0xc3});  // next: call next + 0x1000; dec ecx; jnz next; ret
  // mov ebp, 5; next: mov ecx, 1000; mov edi, 0x40000000; call rdi; mov ecx, 1000; mov edi, 0x40002000; call rdi; dec
  // ebp; jnz next; hlt
  m.code({0xbd, 5,    0, 0, 0, 0xb9, 0xe8, 3,    0, 0,    0xbf, 0,    0,    0,    0x40, 0xff, 0xd7,
          0xb9, 0xe8, 3, 0, 0, 0xbf, 0,    0x20, 0, 0x40, 0xff, 0xd7, 0xff, 0xcd, 0x75, 0xe4, kHlt});
  ASSERT_EQ(m.run(1'000'000), StopReason::kHalted);
  EXPECT_EQ(m.state().gpr[x86::kRax], 5000u);
  EXPECT_EQ(m.state().gpr[x86::kRbx], 5000u);
}

// The address that RET takes from the stack is a page-table entry, of the page that it leads to; executing there sets its
// accessed bit. mov byte [0x200087], hlt; mov byte [0x2000a7], hlt; mov qword [0x12008], 0x200087; mov esp, 0x12008; ret
TEST_P(Links, AReturnAddressIsReadBeforeItsAccessedBitIsSet) {
  Machine m(GetParam());
  m.long_mode();
  m.code({0xc6, 0x04, 0x25, 0x87, 0, 0x20, 0, kHlt, 0xc6, 0x04, 0x25, 0xa7, 0, 0x20, 0, kHlt, 0x48, 0xc7, 0x04, 0x25,
          0x08, 0x20, 1, 0, 0x87, 0, 0x20, 0, 0xbc, 0x08, 0x20, 1, 0, 0xc3});
  ASSERT_EQ(m.run(1000), StopReason::kHalted);
  EXPECT_EQ(m.state().rip, 0x200088u);
  EXPECT_EQ(m.get<u64>(0x12008), 0x2000a7u);
}

constexpr u64 kUpper = 0xffff'ff80'0000'0000;  // where low memory is seen, too

// next: stc; syscall; jmp next. The kernel: inc rax; cmp eax, 1000; je over; sysretq; over: hlt
void load_calls(Machine& m) {
  m.long_mode(3);
  m.put<u64>(0x10ff8, 0x11000 | 7);
  x86::State& s = m.state();
  s.star = u64{0x0013'0008} << 32;
  s.lstar = kUpper + 0x2000;
  s.sfmask = x86::kAc | x86::kTf | x86::kIf;
  s.rflags |= x86::kIf;
  m.bytes(0x2000, {0x48, 0xff, 0xc0, 0x3d, 0xe8, 3, 0, 0, 0x74, 3, 0x48, 0x0f, 0x07, kHlt});
  m.code({0xf9, 0x0f, 0x05, 0xeb, 0xfb});
}

TEST_P(Links, ManySystemCallsEndAsInTheInterpreter) {
  Machine reference("interpret"), m(GetParam());
  load_calls(reference);
  load_calls(m);
  ASSERT_EQ(reference.run(100'000), StopReason::kHalted);
  ASSERT_EQ(m.run(100'000), StopReason::kHalted);
  EXPECT_EQ(m.cpu->position(), reference.cpu->position());
  const x86::State &is = m.state(), &was = reference.state();
  EXPECT_EQ(is.gpr, was.gpr);
  EXPECT_EQ(is.rip, kUpper + 0x200e);
  EXPECT_EQ(is.rflags, was.rflags);
  EXPECT_EQ(is.gpr[x86::kR11] & (x86::kCf | x86::kIf), x86::kCf | x86::kIf);
  EXPECT_EQ(is.gpr[x86::kRcx], 0x1003u);
  for (const unsigned name : {x86::kCs, x86::kSs}) {
    EXPECT_EQ(is.segment[name].selector, was.segment[name].selector);
    EXPECT_EQ(is.segment[name].attributes, was.segment[name].attributes);
  }
}

TEST(Links, SystemCallsAreTranslated) {
  Machine m("translate");
  load_calls(m);
  ASSERT_EQ(m.run(100'000), StopReason::kHalted);
  EXPECT_LT(m.counted("engine.lent_instructions"), 50u);
  EXPECT_GT(m.counted("engine.translated_instructions"), 5000u);
}

// Jump entries are salted in the upper bits: none of what these can be leads to an entry of another context or of
// nobody. mov rax, [0x8800]; jmp rax, after the supervisor has jumped to 0x5000. There and where #GP leads: hlt
TEST_P(Links, AJumpToAnAddressThatIsNotCanonicalFaults) {
  Machine m(GetParam());
  m.long_mode();
  m.gate64(13, 0x3000);
  m.tss(0x9000);
  for (const u64 at : {0x3000, 0x5000}) m.bytes(at, {kHlt});
  const std::vector<u8> code = {0x48, 0x8b, 0x04, 0x25, 0, 0x88, 0, 0, 0xff, 0xe0};
  const auto jump_to = [&](u64 target) {
    m.put(0x8800, target);
    m.code(code);
    EXPECT_EQ(m.run(m.cpu->position().value + 100), StopReason::kHalted);
    return m.state().rip - 1;
  };
  const x86::State begin = m.state();
  for (const unsigned cpl : {0, 3}) {
    m.state() = begin;
    m.long_mode(cpl);
    const x86::State ready = m.state();
    const auto jump_anew_to = [&](u64 target) {
      m.state() = ready;
      return jump_to(target);
    };
    if (cpl == 0) {
      ASSERT_EQ(jump_anew_to(0x5000), 0x5000u);
    }
    for (u64 upper = 1; upper <= 0xfff; ++upper) {
      ASSERT_EQ(jump_anew_to(upper << 48), 0x3000u) << cpl << ' ' << upper;
      ASSERT_EQ(jump_anew_to(upper << 48 | 0x5000), 0x3000u) << cpl << ' ' << upper;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, Links, testing::Values("interpret", "translate", "check"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace pollux::test::engine
