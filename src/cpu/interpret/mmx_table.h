// The MMX data instructions by shape: mnemonic, assembler name, bytes of a memory source (Intel SDM vol. 2).
#pragma once

// mm, mm/mem
#define POLLUX_MMX(X)                                                                              \
  X(PUNPCKLBW, punpcklbw, 4) X(PUNPCKLWD, punpcklwd, 4) X(PUNPCKLDQ, punpckldq, 4)                 \
  X(PUNPCKHBW, punpckhbw, 8) X(PUNPCKHWD, punpckhwd, 8) X(PUNPCKHDQ, punpckhdq, 8)                 \
  X(PACKSSWB, packsswb, 8) X(PACKSSDW, packssdw, 8) X(PACKUSWB, packuswb, 8)                       \
  X(PCMPGTB, pcmpgtb, 8) X(PCMPGTW, pcmpgtw, 8) X(PCMPGTD, pcmpgtd, 8)                             \
  X(PCMPEQB, pcmpeqb, 8) X(PCMPEQW, pcmpeqw, 8) X(PCMPEQD, pcmpeqd, 8)                             \
  X(PADDB, paddb, 8) X(PADDW, paddw, 8) X(PADDD, paddd, 8) X(PADDQ, paddq, 8)                      \
  X(PADDSB, paddsb, 8) X(PADDSW, paddsw, 8) X(PADDUSB, paddusb, 8) X(PADDUSW, paddusw, 8)          \
  X(PSUBB, psubb, 8) X(PSUBW, psubw, 8) X(PSUBD, psubd, 8) X(PSUBQ, psubq, 8)                      \
  X(PSUBSB, psubsb, 8) X(PSUBSW, psubsw, 8) X(PSUBUSB, psubusb, 8) X(PSUBUSW, psubusw, 8)          \
  X(PMINUB, pminub, 8) X(PMINSW, pminsw, 8) X(PMAXUB, pmaxub, 8) X(PMAXSW, pmaxsw, 8)              \
  X(PAND, pand, 8) X(PANDN, pandn, 8) X(POR, por, 8) X(PXOR, pxor, 8)                              \
  X(PAVGB, pavgb, 8) X(PAVGW, pavgw, 8) X(PSADBW, psadbw, 8)                                       \
  X(PMULLW, pmullw, 8) X(PMULHW, pmulhw, 8) X(PMULHUW, pmulhuw, 8) X(PMULUDQ, pmuludq, 8)          \
  X(PMULHRSW, pmulhrsw, 8) X(PMADDWD, pmaddwd, 8) X(PMADDUBSW, pmaddubsw, 8)                       \
  X(PSHUFB, pshufb, 8) X(PHADDW, phaddw, 8) X(PHADDD, phaddd, 8) X(PHADDSW, phaddsw, 8)            \
  X(PHSUBW, phsubw, 8) X(PHSUBD, phsubd, 8) X(PHSUBSW, phsubsw, 8)                                 \
  X(PSIGNB, psignb, 8) X(PSIGNW, psignw, 8) X(PSIGND, psignd, 8)                                   \
  X(PABSB, pabsb, 8) X(PABSW, pabsw, 8) X(PABSD, pabsd, 8)

// mm, mm/mem and mm, imm8
#define POLLUX_MMX_SHIFT(X)                                                                        \
  X(PSLLW, psllw, 8) X(PSLLD, pslld, 8) X(PSLLQ, psllq, 8) X(PSRLW, psrlw, 8)                      \
  X(PSRLD, psrld, 8) X(PSRLQ, psrlq, 8) X(PSRAW, psraw, 8) X(PSRAD, psrad, 8)

// mm, mm/mem, imm8; the last number as in POLLUX_SSE_INTEGER_IMM
#define POLLUX_MMX_IMM(X) X(PSHUFW, pshufw, 8, 256) X(PALIGNR, palignr, 8, 256)
