#include "cpu/interpret/x87_host.h"

namespace pollux::cpu::interpret::x87_host {

using x86::X87Register;

namespace {
constexpr u16 kHostControl = 0x37f;
}

#define POLLUX_X87_CLOBBERS "st", "st(1)", "st(2)", "st(3)"

// Two operands in registers, the result in ST(0).
#define POLLUX_BINARY(name, text)                                                                             \
  Outcome name(const X87Register& to, const X87Register& from, u16 control) {                                 \
    Outcome out;                                                                                              \
    asm volatile("fnclex; fldt %3; fldt %2; fldcw %4; " text "; fnstsw %%ax; fnclex; fldcw %5; fstpt %0; "    \
                 "fstp %%st(0)"                                                                               \
                 : "=m"(out.value), "=&a"(out.status)                                                         \
                 : "m"(to), "m"(from), "m"(control), "m"(kHostControl)                                        \
                 : POLLUX_X87_CLOBBERS);                                                                      \
    return out;                                                                                               \
  }
POLLUX_BINARY(fadd, "fadd %%st(1), %%st")
POLLUX_BINARY(fmul, "fmul %%st(1), %%st")
POLLUX_BINARY(fsub, "fsub %%st(1), %%st")
POLLUX_BINARY(fsubr, "fsubr %%st(1), %%st")
POLLUX_BINARY(fdiv, "fdiv %%st(1), %%st")
POLLUX_BINARY(fdivr, "fdivr %%st(1), %%st")
POLLUX_BINARY(fscale, "fscale")
POLLUX_BINARY(fprem, "fprem")
POLLUX_BINARY(fprem1, "fprem1")

// ST(0) and a memory operand.
#define POLLUX_MEMORY(format, name, text)                                                                     \
  template <>                                                                                                 \
  Outcome Memory<Format::format>::name(const X87Register& to, u64 from, u16 control) {                        \
    Outcome out;                                                                                              \
    asm volatile("fnclex; fldt %2; fldcw %4; " text " %3; fnstsw %%ax; fnclex; fldcw %5; fstpt %0"            \
                 : "=m"(out.value), "=&a"(out.status)                                                         \
                 : "m"(to), "m"(from), "m"(control), "m"(kHostControl)                                        \
                 : POLLUX_X87_CLOBBERS);                                                                      \
    return out;                                                                                               \
  }
#define POLLUX_MEMORY_FORMS(name, floating, integer)     \
  POLLUX_MEMORY(kFloat32, name, floating "s")            \
  POLLUX_MEMORY(kFloat64, name, floating "l")            \
  POLLUX_MEMORY(kInt16, name, integer "s")               \
  POLLUX_MEMORY(kInt32, name, integer "l")
POLLUX_MEMORY_FORMS(fadd, "fadd", "fiadd")
POLLUX_MEMORY_FORMS(fmul, "fmul", "fimul")
POLLUX_MEMORY_FORMS(fsub, "fsub", "fisub")
POLLUX_MEMORY_FORMS(fsubr, "fsubr", "fisubr")
POLLUX_MEMORY_FORMS(fdiv, "fdiv", "fidiv")
POLLUX_MEMORY_FORMS(fdivr, "fdivr", "fidivr")
POLLUX_MEMORY_FORMS(fcom, "fcom", "ficom")

#define POLLUX_UNARY(name, text)                                                                              \
  Outcome name(const X87Register& st0, u16 control) {                                                         \
    Outcome out;                                                                                              \
    asm volatile("fnclex; fldt %2; fldcw %3; " text "; fnstsw %%ax; fnclex; fldcw %4; fstpt %0"               \
                 : "=m"(out.value), "=&a"(out.status)                                                         \
                 : "m"(st0), "m"(control), "m"(kHostControl)                                                  \
                 : POLLUX_X87_CLOBBERS);                                                                      \
    return out;                                                                                               \
  }
POLLUX_UNARY(fsqrt, "fsqrt")
POLLUX_UNARY(frndint, "frndint")

#define POLLUX_COMPARE(name, text)                                                                            \
  u16 name(const X87Register& st0, const X87Register& from, u16 control) {                                    \
    u16 status;                                                                                               \
    asm volatile("fnclex; fldt %2; fldt %1; fldcw %3; " text " %%st(1); fnstsw %%ax; fnclex; fldcw %4; "      \
                 "fstp %%st(0); fstp %%st(0)"                                                                 \
                 : "=&a"(status)                                                                              \
                 : "m"(st0), "m"(from), "m"(control), "m"(kHostControl)                                       \
                 : POLLUX_X87_CLOBBERS);                                                                      \
    return status;                                                                                            \
  }
POLLUX_COMPARE(fcom, "fcom")
POLLUX_COMPARE(fucom, "fucom")

u16 ftst(const X87Register& st0, u16 control) {
  u16 status;
  asm volatile("fnclex; fldt %1; fldcw %2; ftst; fnstsw %%ax; fnclex; fldcw %3; fstp %%st(0)"
               : "=&a"(status)
               : "m"(st0), "m"(control), "m"(kHostControl)
               : POLLUX_X87_CLOBBERS);
  return status;
}

u16 fxam(const X87Register& st0) {
  u16 status;
  asm volatile("fldt %1; fxam; fnstsw %%ax; fstp %%st(0)" : "=&a"(status) : "m"(st0) : POLLUX_X87_CLOBBERS);
  return status;
}

// Where an unmasked exception may keep the instruction from pushing or popping, FNINIT empties the stack whatever
// happened.
Extracted fxtract(const X87Register& st0, u16 control) {
  Extracted out;
  asm volatile("fnclex; fldz; fldt %3; fldcw %4; fxtract; fnstsw %%ax; fnclex; fstpt %1; fstpt %0; fninit"
               : "=m"(out.exponent), "=m"(out.significand), "=&a"(out.status)
               : "m"(st0), "m"(control)
               : POLLUX_X87_CLOBBERS);
  return out;
}

#define POLLUX_LOAD(name, text)                                                                               \
  Outcome name(u64 from, u16 control) {                                                                       \
    Outcome out;                                                                                              \
    asm volatile("fnclex; fldz; fldcw %3; " text " %2; fnstsw %%ax; fnclex; fstpt %0; fninit"                 \
                 : "=m"(out.value), "=&a"(out.status)                                                         \
                 : "m"(from), "m"(control)                                                                    \
                 : POLLUX_X87_CLOBBERS);                                                                      \
    return out;                                                                                               \
  }
POLLUX_LOAD(fld_m32, "flds")
POLLUX_LOAD(fld_m64, "fldl")
POLLUX_LOAD(fild_m16, "filds")
POLLUX_LOAD(fild_m32, "fildl")
POLLUX_LOAD(fild_m64, "fildll")

#define POLLUX_CONSTANT(name)                                                                                 \
  X87Register name(u16 control) {                                                                             \
    X87Register out;                                                                                          \
    asm volatile("fnclex; fldcw %1; " #name "; fldcw %2; fstpt %0"                                            \
                 : "=m"(out)                                                                                  \
                 : "m"(control), "m"(kHostControl)                                                            \
                 : POLLUX_X87_CLOBBERS);                                                                      \
    return out;                                                                                               \
  }
POLLUX_CONSTANT(fld1)
POLLUX_CONSTANT(fldl2t)
POLLUX_CONSTANT(fldl2e)
POLLUX_CONSTANT(fldpi)
POLLUX_CONSTANT(fldlg2)
POLLUX_CONSTANT(fldln2)
POLLUX_CONSTANT(fldz)

#define POLLUX_STORE(name, text)                                                                              \
  Outcome name(const X87Register& st0, u16 control) {                                                         \
    Outcome out;                                                                                              \
    asm volatile("fnclex; fldt %2; fldcw %3; " text " %0; fnstsw %%ax; fninit"                                \
                 : "+m"(out.value), "=&a"(out.status)                                                         \
                 : "m"(st0), "m"(control)                                                                     \
                 : POLLUX_X87_CLOBBERS);                                                                      \
    return out;                                                                                               \
  }
POLLUX_STORE(fst_m32, "fsts")
POLLUX_STORE(fst_m64, "fstl")
POLLUX_STORE(fist_m16, "fists")
POLLUX_STORE(fist_m32, "fistl")
POLLUX_STORE(fist_m64, "fistpll")
POLLUX_STORE(fisttp_m16, "fisttps")
POLLUX_STORE(fisttp_m32, "fisttpl")
POLLUX_STORE(fisttp_m64, "fisttpll")
POLLUX_STORE(fbstp, "fbstp")

}  // namespace pollux::cpu::interpret::x87_host
