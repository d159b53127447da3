// The SSE to SSE4.2, AES and carry-less multiply data instructions by shape: mnemonic, assembler name, bytes that a
// memory source has, and what the shape needs besides. sse_operations.cc makes a function of each row,
// sse_bind.cc binds them to the decoder's mnemonics, and the oracle test reads the same rows through the
// instruction table. Source: Intel SDM vol. 2; a 16-byte memory source must be aligned unless the row says
// otherwise (SDM vol. 3, 2.4 of "SSE exceptions").
#pragma once

// X(mnemonic, text, source bytes): xmm, xmm/mem; integer or bitwise, raises no floating-point exception.
#define POLLUX_SSE_INTEGER(X)                                                                              \
  X(PUNPCKLBW, punpcklbw, 16) X(PUNPCKLWD, punpcklwd, 16) X(PUNPCKLDQ, punpckldq, 16)                      \
  X(PUNPCKLQDQ, punpcklqdq, 16) X(PUNPCKHBW, punpckhbw, 16) X(PUNPCKHWD, punpckhwd, 16)                    \
  X(PUNPCKHDQ, punpckhdq, 16) X(PUNPCKHQDQ, punpckhqdq, 16) X(PACKSSWB, packsswb, 16)                      \
  X(PACKSSDW, packssdw, 16) X(PACKUSWB, packuswb, 16) X(PACKUSDW, packusdw, 16)                            \
  X(PCMPGTB, pcmpgtb, 16) X(PCMPGTW, pcmpgtw, 16) X(PCMPGTD, pcmpgtd, 16) X(PCMPGTQ, pcmpgtq, 16)          \
  X(PCMPEQB, pcmpeqb, 16) X(PCMPEQW, pcmpeqw, 16) X(PCMPEQD, pcmpeqd, 16) X(PCMPEQQ, pcmpeqq, 16)          \
  X(PADDB, paddb, 16) X(PADDW, paddw, 16) X(PADDD, paddd, 16) X(PADDQ, paddq, 16)                          \
  X(PADDSB, paddsb, 16) X(PADDSW, paddsw, 16) X(PADDUSB, paddusb, 16) X(PADDUSW, paddusw, 16)              \
  X(PSUBB, psubb, 16) X(PSUBW, psubw, 16) X(PSUBD, psubd, 16) X(PSUBQ, psubq, 16)                          \
  X(PSUBSB, psubsb, 16) X(PSUBSW, psubsw, 16) X(PSUBUSB, psubusb, 16) X(PSUBUSW, psubusw, 16)              \
  X(PMINUB, pminub, 16) X(PMINSW, pminsw, 16) X(PMINSB, pminsb, 16) X(PMINSD, pminsd, 16)                  \
  X(PMINUW, pminuw, 16) X(PMINUD, pminud, 16) X(PMAXUB, pmaxub, 16) X(PMAXSW, pmaxsw, 16)                  \
  X(PMAXSB, pmaxsb, 16) X(PMAXSD, pmaxsd, 16) X(PMAXUW, pmaxuw, 16) X(PMAXUD, pmaxud, 16)                  \
  X(PAND, pand, 16) X(PANDN, pandn, 16) X(POR, por, 16) X(PXOR, pxor, 16)                                  \
  X(PAVGB, pavgb, 16) X(PAVGW, pavgw, 16) X(PSADBW, psadbw, 16)                                            \
  X(PMULLW, pmullw, 16) X(PMULHW, pmulhw, 16) X(PMULHUW, pmulhuw, 16) X(PMULUDQ, pmuludq, 16)              \
  X(PMULDQ, pmuldq, 16) X(PMULLD, pmulld, 16) X(PMULHRSW, pmulhrsw, 16)                                    \
  X(PMADDWD, pmaddwd, 16) X(PMADDUBSW, pmaddubsw, 16)                                                      \
  X(PSHUFB, pshufb, 16) X(PHADDW, phaddw, 16) X(PHADDD, phaddd, 16) X(PHADDSW, phaddsw, 16)                \
  X(PHSUBW, phsubw, 16) X(PHSUBD, phsubd, 16) X(PHSUBSW, phsubsw, 16)                                      \
  X(PSIGNB, psignb, 16) X(PSIGNW, psignw, 16) X(PSIGND, psignd, 16)                                        \
  X(PABSB, pabsb, 16) X(PABSW, pabsw, 16) X(PABSD, pabsd, 16) X(PHMINPOSUW, phminposuw, 16)                \
  X(PMOVSXBW, pmovsxbw, 8) X(PMOVSXBD, pmovsxbd, 4) X(PMOVSXBQ, pmovsxbq, 2)                               \
  X(PMOVSXWD, pmovsxwd, 8) X(PMOVSXWQ, pmovsxwq, 4) X(PMOVSXDQ, pmovsxdq, 8)                               \
  X(PMOVZXBW, pmovzxbw, 8) X(PMOVZXBD, pmovzxbd, 4) X(PMOVZXBQ, pmovzxbq, 2)                               \
  X(PMOVZXWD, pmovzxwd, 8) X(PMOVZXWQ, pmovzxwq, 4) X(PMOVZXDQ, pmovzxdq, 8)                               \
  X(ANDPS, andps, 16) X(ANDPD, andpd, 16) X(ANDNPS, andnps, 16) X(ANDNPD, andnpd, 16)                      \
  X(ORPS, orps, 16) X(ORPD, orpd, 16) X(XORPS, xorps, 16) X(XORPD, xorpd, 16)                              \
  X(UNPCKLPS, unpcklps, 16) X(UNPCKLPD, unpcklpd, 16) X(UNPCKHPS, unpckhps, 16) X(UNPCKHPD, unpckhpd, 16)  \
  X(CVTDQ2PD, cvtdq2pd, 8) X(MOVSLDUP, movsldup, 16) X(MOVSHDUP, movshdup, 16) X(MOVDDUP, movddup, 8)

// Shifts: as above with a count in xmm/mem, and with an immediate count.
#define POLLUX_SSE_SHIFT(X)                                                                        \
  X(PSLLW, psllw, 16) X(PSLLD, pslld, 16) X(PSLLQ, psllq, 16) X(PSRLW, psrlw, 16)                  \
  X(PSRLD, psrld, 16) X(PSRLQ, psrlq, 16) X(PSRAW, psraw, 16) X(PSRAD, psrad, 16)

// X(mnemonic, text, source bytes, immediates): xmm, xmm/mem, imm8; immediates: how many low values of imm8 differ in
// effect (a power of two), the bits above being ignored by the processor, or 256.
#define POLLUX_SSE_INTEGER_IMM(X)                                                                  \
  X(PSHUFD, pshufd, 16, 256) X(PSHUFHW, pshufhw, 16, 256) X(PSHUFLW, pshuflw, 16, 256)             \
  X(SHUFPS, shufps, 16, 256) X(SHUFPD, shufpd, 16, 4) X(PALIGNR, palignr, 16, 256)                 \
  X(PBLENDW, pblendw, 16, 256) X(BLENDPS, blendps, 16, 16) X(BLENDPD, blendpd, 16, 4)              \
  X(MPSADBW, mpsadbw, 16, 8)
// The same; from a register it takes any of the four singles.
#define POLLUX_SSE_INSERT(X) X(INSERTPS, insertps, 4, 256)

// X(mnemonic, text, source bytes, tiny): floating point that reads and writes MXCSR. tiny: the lanes of the result in
// which a denormal number means underflow (see sse_float.h).
#define POLLUX_SSE_FLOAT(X)                                                                        \
  X(ADDPS, addps, 16, kSingles) X(ADDPD, addpd, 16, kDoubles) X(ADDSS, addss, 4, kSingle)          \
  X(ADDSD, addsd, 8, kDouble) X(SUBPS, subps, 16, kSingles) X(SUBPD, subpd, 16, kDoubles)          \
  X(SUBSS, subss, 4, kSingle) X(SUBSD, subsd, 8, kDouble) X(MULPS, mulps, 16, kSingles)            \
  X(MULPD, mulpd, 16, kDoubles) X(MULSS, mulss, 4, kSingle) X(MULSD, mulsd, 8, kDouble)            \
  X(DIVPS, divps, 16, kSingles) X(DIVPD, divpd, 16, kDoubles) X(DIVSS, divss, 4, kSingle)          \
  X(DIVSD, divsd, 8, kDouble) X(MINPS, minps, 16, kNever) X(MINPD, minpd, 16, kNever)              \
  X(MINSS, minss, 4, kNever) X(MINSD, minsd, 8, kNever) X(MAXPS, maxps, 16, kNever)                \
  X(MAXPD, maxpd, 16, kNever) X(MAXSS, maxss, 4, kNever) X(MAXSD, maxsd, 8, kNever)                \
  X(SQRTPS, sqrtps, 16, kNever) X(SQRTPD, sqrtpd, 16, kNever) X(SQRTSS, sqrtss, 4, kNever)         \
  X(SQRTSD, sqrtsd, 8, kNever) X(ADDSUBPS, addsubps, 16, kSingles)                                 \
  X(ADDSUBPD, addsubpd, 16, kDoubles)                                                              \
  X(CVTPS2PD, cvtps2pd, 8, kNever) X(CVTPD2PS, cvtpd2ps, 16, kSingles)                             \
  X(CVTDQ2PS, cvtdq2ps, 16, kNever) X(CVTPS2DQ, cvtps2dq, 16, kNever)                              \
  X(CVTTPS2DQ, cvttps2dq, 16, kNever) X(CVTPD2DQ, cvtpd2dq, 16, kNever)                            \
  X(CVTTPD2DQ, cvttpd2dq, 16, kNever) X(CVTSS2SD, cvtss2sd, 4, kNever)                             \
  X(CVTSD2SS, cvtsd2ss, 8, kSingle)

// X(mnemonic, text, source bytes, immediates, tiny)
#define POLLUX_SSE_FLOAT_IMM(X)                                                                    \
  X(CMPPS, cmpps, 16, 8, kNever) X(CMPPD, cmppd, 16, 8, kNever) X(CMPSS, cmpss, 4, 8, kNever)      \
  X(CMPSD, cmpsd, 8, 8, kNever) X(ROUNDPS, roundps, 16, 16, kNever)                                \
  X(ROUNDPD, roundpd, 16, 16, kNever) X(ROUNDSS, roundss, 4, 16, kNever)                           \
  X(ROUNDSD, roundsd, 8, 16, kNever)

// X(mnemonic, text, source bytes, tiny): the same, computed from those above (sse_horizontal.h).
#define POLLUX_SSE_HORIZONTAL(X)                                                                   \
  X(HADDPS, haddps, 16, kSingles) X(HADDPD, haddpd, 16, kDoubles)                                  \
  X(HSUBPS, hsubps, 16, kSingles) X(HSUBPD, hsubpd, 16, kDoubles)

// X(mnemonic, text, source bytes): comparisons that write RFLAGS and MXCSR.
#define POLLUX_SSE_COMPARE(X)                                                                      \
  X(COMISS, comiss, 4) X(UCOMISS, ucomiss, 4) X(COMISD, comisd, 8) X(UCOMISD, ucomisd, 8)

// X(mnemonic, text): xmm, xmm/m128, imm8 with explicit (rax, rdx) or implicit lengths; any alignment.
#define POLLUX_SSE_STRING(X)                                                                       \
  X(PCMPESTRI, pcmpestri) X(PCMPESTRM, pcmpestrm) X(PCMPISTRI, pcmpistri) X(PCMPISTRM, pcmpistrm)

// X(mnemonic, text): xmm, xmm/m128, mask in xmm0.
#define POLLUX_SSE_BLENDV(X) X(PBLENDVB, pblendvb) X(BLENDVPS, blendvps) X(BLENDVPD, blendvpd)

// X(mnemonic, text, source bytes): xmm, general register or memory of 4 or 8 bytes.
#define POLLUX_SSE_FROM_INTEGER(X) X(CVTSI2SS, cvtsi2ss) X(CVTSI2SD, cvtsi2sd)

// X(mnemonic, text, source bytes): general register of 4 or 8 bytes, xmm/mem.
#define POLLUX_SSE_TO_INTEGER(X)                                                                   \
  X(CVTSS2SI, cvtss2si, 4) X(CVTTSS2SI, cvttss2si, 4) X(CVTSD2SI, cvtsd2si, 8) X(CVTTSD2SI, cvttsd2si, 8)

// AES and carry-less multiplication, as POLLUX_SSE_INTEGER and POLLUX_SSE_INTEGER_IMM.
#define POLLUX_AES(X)                                                                              \
  X(AESENC, aesenc, 16) X(AESENCLAST, aesenclast, 16) X(AESDEC, aesdec, 16)                        \
  X(AESDECLAST, aesdeclast, 16) X(AESIMC, aesimc, 16)
#define POLLUX_AES_IMM(X) X(AESKEYGENASSIST, aeskeygenassist, 16, 256) X(PCLMULQDQ, pclmulqdq, 16, 32)
