// SSE through the interpreter: alignment, MXCSR and its exceptions, and the save areas.
#include <gtest/gtest.h>

#include "cpu/interpret/test_machine.h"

namespace pollux::cpu::interpret {
namespace {

constexpr u64 kData = 0x2000, kHandler = 0x5000;

class Sse : public ::testing::Test {
 protected:
  Sse() {
    machine.long_mode();
    for (const u8 vector : {6, 7, 13, 14, 19}) machine.gate64(vector, kHandler + 16 * vector);
    machine.state().gpr[x86::kRax] = kData;
    machine.state().x87 = {};
  }
  int one(const std::vector<u8>& code) {
    machine.state().gpr[x86::kRsp] = 0x9000;
    machine.code(code);
    for (u64 n = 0; n < 32; ++n) machine.put<u8>(kHandler + 16 * n, 0x90);
    machine.run(machine.cpu->position().value + 1);
    const u64 at = machine.state().rip - kHandler;
    return at < 0x200 ? int(at / 16) : -1;
  }
  x86::State& s() { return machine.state(); }

  TestMachine machine;
};

TEST_F(Sse, ALegacyOperandOf16BytesMustBeAlignedUnlessItsInstructionIsForUnalignedData) {
  s().gpr[x86::kRax] = kData + 8;
  EXPECT_EQ(one({0x66, 0x0f, 0xfe, 0x00}), 13);              // paddd xmm0, [rax]
  EXPECT_EQ(one({0x0f, 0x28, 0x00}), 13);                    // movaps
  EXPECT_EQ(one({0x66, 0x0f, 0x38, 0xdc, 0x00}), 13);        // aesenc
  EXPECT_EQ(one({0x0f, 0x10, 0x00}), -1);                    // movups
  EXPECT_EQ(one({0xf2, 0x0f, 0xf0, 0x00}), -1);              // lddqu
  EXPECT_EQ(one({0x66, 0x0f, 0x3a, 0x63, 0x00, 0x00}), -1);  // pcmpistri
  EXPECT_EQ(one({0xf2, 0x0f, 0x58, 0x00}), -1);              // addsd: 8 bytes
}

TEST_F(Sse, AMaskedDivisionByZeroLeavesItsFlag) {
  s().xmm[0] = {0x3ff0000000000000, 0};
  s().xmm[1] = {};
  EXPECT_EQ(one({0xf2, 0x0f, 0x5e, 0xc1}), -1);  // divsd xmm0, xmm1
  EXPECT_EQ(s().xmm[0].low, 0x7ff0000000000000u);
  EXPECT_EQ(s().mxcsr, 0x1f84u);
}

TEST_F(Sse, AnUnmaskedDivisionByZeroCommitsNothingButItsFlag) {
  s().mxcsr = 0x1d80;
  s().xmm[0] = {0x3ff0000000000000, 0};
  s().xmm[1] = {};
  EXPECT_EQ(one({0xf2, 0x0f, 0x5e, 0xc1}), 19);
  EXPECT_EQ(s().xmm[0].low, 0x3ff0000000000000u);
  EXPECT_EQ(s().mxcsr, 0x1d84u);
}

TEST_F(Sse, WithoutOsxmmexcptTheSameIsAnInvalidOpcode) {
  s().mxcsr = 0x1d80;
  s().cr4 &= ~u64(x86::kCr4Osxmmexcpt);
  s().xmm[0] = {0x3ff0000000000000, 0};
  s().xmm[1] = {};
  EXPECT_EQ(one({0xf2, 0x0f, 0x5e, 0xc1}), 6);
}

TEST_F(Sse, AnExactTinyResultUnderflowsOnlyWhenUnmasked) {
  s().xmm[0] = s().xmm[1] = {0x0008000000000000, 0};  // denormal + 0
  s().xmm[1] = {};
  EXPECT_EQ(one({0xf2, 0x0f, 0x58, 0xc1}), -1);
  EXPECT_EQ(s().mxcsr, 0x1f82u);  // the denormal operand
  s().mxcsr = 0x1780;
  EXPECT_EQ(one({0xf2, 0x0f, 0x58, 0xc1}), 19);
  EXPECT_EQ(s().mxcsr, 0x1792u);
}

TEST_F(Sse, MxcsrRefusesReservedBits) {
  machine.put<u32>(kData, 0x1f80 | 1 << 17);
  EXPECT_EQ(one({0x0f, 0xae, 0x10}), 13);  // ldmxcsr
  machine.put<u32>(kData, 0xffff);
  EXPECT_EQ(one({0x0f, 0xae, 0x10}), -1);
  EXPECT_EQ(s().mxcsr, 0xffffu);
  EXPECT_EQ(one({0x0f, 0xae, 0x58, 0x04}), -1);  // stmxcsr
  EXPECT_EQ(machine.get<u32>(kData + 4), 0xffffu);
}

TEST_F(Sse, AFaultOfTheOperandKeepsTheFlagsOfTheUnmaskedMode) {
  s().mxcsr = 0x0001;
  s().gpr[x86::kRax] = u64(2) << 30;
  EXPECT_EQ(one({0xf2, 0x0f, 0x58, 0x00}), 14);
  EXPECT_EQ(s().mxcsr, 0x0001u);
}

void fill(x86::State& s) {
  for (unsigned n = 0; n < 16; ++n) s.xmm[n] = {0x1111111111111111u * u64(n), ~u64(n)};
  for (unsigned n = 0; n < 8; ++n) s.x87.registers[n] = {0x8000000000000000 + n, u16(0x4000 + n), {}};
  s.x87.control = 0x27f;
  s.x87.status = 0x2a00;
  s.x87.tag = 0x3c;
  s.x87.opcode = 0x123;
  s.x87.instruction_pointer = 0xffff800012345678;
  s.x87.data_pointer = 0xffff800087654321;
  s.mxcsr = 0x1fa0;
}

u64 digest_of(x86::State& s) {
  DigestVisitor v;
  for (x86::Xmm& value : s.xmm) v.field("xmm", value);
  v.field("x87", s.x87);
  v.field("mxcsr", s.mxcsr);
  return v.digest();
}

TEST_F(Sse, FxsaveAndFxrstorAreInverse) {
  fill(s());
  const u64 before = digest_of(s());
  EXPECT_EQ(one({0x48, 0x0f, 0xae, 0x00}), -1);  // fxsave64
  EXPECT_EQ(machine.get<u32>(kData + 28), 0xffffu);
  s().xmm = {};
  s().x87 = {};
  s().mxcsr = 0x1f80;
  EXPECT_EQ(one({0x48, 0x0f, 0xae, 0x08}), -1);
  EXPECT_EQ(digest_of(s()), before);
  s().gpr[x86::kRax] = kData + 8;
  EXPECT_EQ(one({0x48, 0x0f, 0xae, 0x00}), 13);
}

TEST_F(Sse, XsaveNeedsItsBitAndSavesWhatIsAskedFor) {
  fill(s());
  s().gpr[x86::kRdx] = 0;
  EXPECT_EQ(one({0x0f, 0xae, 0x20}), 6);
  s().cr4 |= x86::kCr4Osxsave;
  s().xcr0 = 3;
  const u64 before = digest_of(s());
  s().gpr[x86::kRax] = kData + 1;  // also the mask: the x87 part only
  EXPECT_EQ(one({0x0f, 0xae, 0x60, 0xff}), -1);
  EXPECT_EQ(machine.get<u64>(kData + 512), 1u);
  EXPECT_EQ(machine.get<u32>(kData + 24), 0u);
  s().gpr[x86::kRax] = kData + 3;
  EXPECT_EQ(one({0x48, 0x0f, 0xae, 0x60, 0xfd}), -1);
  EXPECT_EQ(machine.get<u64>(kData + 512), 3u);
  s().xmm = {};
  s().x87 = {};
  s().mxcsr = 0x1f80;
  EXPECT_EQ(one({0x48, 0x0f, 0xae, 0x68, 0xfd}), -1);  // xrstor64
  EXPECT_EQ(digest_of(s()), before);
}

TEST_F(Sse, XrstorInitialisesWhatTheHeaderDoesNotHoldAndRefusesABadHeader) {
  fill(s());
  s().cr4 |= x86::kCr4Osxsave;
  s().xcr0 = 3;
  s().gpr[x86::kRdx] = 0;
  s().gpr[x86::kRax] = kData + 3;
  machine.put<u32>(kData + 24, 0x1f80);
  EXPECT_EQ(one({0x0f, 0xae, 0x68, 0xfd}), -1);
  EXPECT_EQ(s().xmm[5].low, 0u);
  EXPECT_EQ(s().x87.control, 0x37f);
  EXPECT_EQ(s().x87.tag, 0);
  machine.put<u64>(kData + 512, 4);  // a component that XCR0 does not enable
  EXPECT_EQ(one({0x0f, 0xae, 0x68, 0xfd}), 13);
  machine.put<u64>(kData + 512, 3);
  machine.put<u64>(kData + 520, u64(1) << 63);  // the compacted form
  EXPECT_EQ(one({0x0f, 0xae, 0x68, 0xfd}), 13);
}

}  // namespace
}  // namespace pollux::cpu::interpret
