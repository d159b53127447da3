# Entry of every bare-metal guest: PVH in 32-bit protected mode, then long mode with an identity map of the first GiB
# in 2 MiB pages, a GDT, a TSS and an IDT whose 256 gates lead to trap(). Calls main() and leaves by the exit port.
# The same files run under any PVH loader, so that another virtual machine can confirm the expectations.

  .section .note.pvh, "a", @note
  .long 4, 4, 18
  .asciz "Xen"
  .long start32

  .section .text.start, "ax"
  .code32
  .global start32
start32:
  cli
  mov $stack_top, %esp
  mov $pml4, %edi              # clear the tables
  mov $(4096 * 3 / 4), %ecx
  xor %eax, %eax
  rep stosl
  movl $(pdpt + 7), pml4
  movl $(pd + 7), pdpt
  mov $pd, %edi
  mov $0x87, %eax              # present, write, user, large
  mov $512, %ecx
1:
  mov %eax, (%edi)
  add $0x200000, %eax
  add $8, %edi
  loop 1b
  mov $pml4, %eax
  mov %eax, %cr3
  mov $0x6a0, %eax             # PAE, PGE, OSFXSR, OSXMMEXCPT
  mov %eax, %cr4
  mov $0xc0000080, %ecx
  rdmsr
  or $0x901, %eax              # SCE, LME, NXE
  wrmsr
  mov $0x80010033, %eax        # PG, WP, NE, ET, MP, PE
  mov %eax, %cr0
  lgdt gdt_pointer
  ljmp $0x08, $start64

  .code64
start64:
  mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  xor %eax, %eax
  mov %eax, %fs
  mov %eax, %gs
  mov $stack_top, %rsp
  lea tss(%rip), %rax          # the TSS descriptor's base
  mov %ax, gdt + 0x28 + 2
  shr $16, %rax
  mov %al, gdt + 0x28 + 4
  mov %ah, gdt + 0x28 + 7
  mov $0x28, %eax
  ltr %ax
  mov $idt, %edi               # 256 interrupt gates
  mov $stubs, %eax
  mov $256, %ecx
2:
  mov %ax, (%rdi)
  movw $0x08, 2(%rdi)
  movw $0x8e00, 4(%rdi)
  mov %eax, %edx
  shr $16, %edx
  mov %dx, 6(%rdi)
  movq $0, 8(%rdi)
  add $16, %eax
  add $16, %rdi
  loop 2b
  lidt idt_pointer
  call main
  .global leave
leave:
  mov $0xf4, %edx
  out %eax, %dx
3:
  hlt
  jmp 3b

# Each stub: an error code where the processor pushes none, then the vector.
  .align 16
stubs:
  vector = 0
  .rept 256
  .align 16
  .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
  push $0
  .endif
  push $vector
  jmp common
  vector = vector + 1
  .endr

common:
  push %rax
  push %rcx
  push %rdx
  push %rbx
  push %rbp
  push %rsi
  push %rdi
  push %r8
  push %r9
  push %r10
  push %r11
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, %rdi
  cld
  call trap
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %r11
  pop %r10
  pop %r9
  pop %r8
  pop %rdi
  pop %rsi
  pop %rbp
  pop %rbx
  pop %rdx
  pop %rcx
  pop %rax
  add $16, %rsp
  iretq

  .data
  .align 16
  .global gdt
gdt:
  .quad 0
  .quad 0x00af9b000000ffff     # 0x08 code, ring 0, 64-bit
  .quad 0x00cf93000000ffff     # 0x10 data, ring 0
  .quad 0x00cffb000000ffff     # 0x18 code, ring 3, 32-bit (0x1b)
  .quad 0x00cff3000000ffff     # 0x20 data, ring 3 (0x23)
  .quad 0x0000890000000067, 0  # 0x28 TSS
  .quad 0x00affb000000ffff     # 0x38 code, ring 3, 64-bit (0x3b)
  .quad 0x00cf9b000000ffff     # 0x40 code, ring 0, 32-bit
  .quad 0x00009b000000ffff     # 0x48 code, ring 0, 16-bit
  .quad 0x000093000000ffff     # 0x50 data, ring 0, 16-bit
  .quad 0, 0, 0, 0, 0          # 0x58 to 0x78, for the tests
gdt_end:
gdt_pointer:
  .word gdt_end - gdt - 1
  .quad gdt
  .global idt_pointer
idt_pointer:
  .word 256 * 16 - 1
  .quad idt
  .align 16
  .global tss
tss:
  .long 0
  .quad stack0_top             # RSP0
  .quad 0, 0, 0
  .quad ist1_top               # IST1
  .fill 0x66 - 0x2c, 1, 0
  .word 0x68                   # no I/O bitmap

  .bss
  .align 4096
  .global pml4, pdpt, pd, idt
pml4: .skip 4096
pdpt: .skip 4096
pd: .skip 4096
idt: .skip 4096
  .skip 16384
stack_top:
  .skip 16384
  .global stack0_top
stack0_top:
  .skip 8192
  .global ist1_top
ist1_top:
