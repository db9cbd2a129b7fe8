/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ENGINE_HAXM_ABI_H
#define ENGINE_HAXM_ABI_H

#include <stdint.h>
#include <sys/ioctl.h>
#ifdef __NetBSD__
#include <sys/ioccom.h>
#endif

/*
 * HAXM's interface to programs, version 4, on POSIX systems: what docs/api.md of HAXM 7.8 says, and
 * for what it leaves open include/hax_interface.h, hax_vcpu_state.h and core/vcpu.c.  No struct has
 * holes on x86-64.
 */
enum { HAXM_VERSION = 4, HAXM_MAX_CPUS = 16, HAXM_MSRS = 0x20, HAXM_IO_BUFFER = 0x2000 };

struct haxm_version {
	uint32_t least, current;
};

enum { HAXM_WORKS = 1 };                       /* capability.status */
enum { HAXM_LACKS_VT = 1, HAXM_LACKS_NX = 2 }; /* capability.info, if it does not; or: */
enum {
	HAXM_UNRESTRICTED = 1 << 2, /* the host's CPU executes real mode itself */
	HAXM_BLOCK_64 = 1 << 3,     /* HAXM_ADD_BLOCK */
	HAXM_SET_RAM_64 = 1 << 4,   /* HAXM_SET_RAM */
	HAXM_TUNNEL_PAGE = 1 << 5,
	HAXM_SETS_CPUID = 1 << 9
};

struct haxm_capability {
	uint16_t status, info;
	uint32_t references;
	uint64_t quota;
};

struct haxm_block {
	uint64_t hva, size, reserved;
};

enum { HAXM_RAM_ROM = 1, HAXM_RAM_INVALID = 0x80 };

struct haxm_ram {
	uint64_t gpa, size, hva;
	uint32_t flags, reserved1;
	uint64_t reserved2;
};

struct haxm_tunnel_info {
	uint64_t tunnel, io; /* where they are in this process */
	uint16_t size, pad[3];
};

enum haxm_exit {
	HAXM_EXIT_NONE,
	HAXM_EXIT_IO,
	HAXM_EXIT_MMIO,
	HAXM_EXIT_REALMODE,
	HAXM_EXIT_INTERRUPT, /* of the host's, or the window that was asked for */
	HAXM_EXIT_UNKNOWN,
	HAXM_EXIT_HLT,
	HAXM_EXIT_STATECHANGE, /* it cannot go on */
	HAXM_EXIT_PAUSED,      /* as exit_reason: the next run ends what is open, and no more */
	HAXM_EXIT_FAST_MMIO
};

enum { HAXM_VMX_IO = 30 }; /* exit_reason otherwise: SDM volume 3, appendix C */
enum { HAXM_OUT, HAXM_IN };

/* What the kernel and we share of a CPU. */
struct haxm_tunnel {
	uint32_t exit_reason, pad0, exit_status, user_event_pending;
	int32_t ready_for_interrupt, request_interrupt_window;
	struct {
		uint8_t direction, down; /* down: the last element is the first to be done */
		uint16_t size, port, count;
		uint8_t string, pad0;
		uint16_t pad1;
		uint32_t pad2;
		uint64_t address;
	} io;
	uint64_t apic_base;
};

enum { HAXM_MMIO_READ, HAXM_MMIO_WRITE, HAXM_MMIO_COPY };

/* At the beginning of the buffer for I/O. */
struct haxm_mmio {
	uint64_t gpa;
	uint64_t value; /* HAXM_MMIO_COPY: where it goes */
	uint8_t size, direction;
	uint16_t obsolete;
	uint32_t pad;
	uint64_t cr0, cr2, cr3, cr4;
};

struct haxm_seg {
	uint16_t selector, pad0;
	uint32_t limit;
	uint64_t base;
	uint32_t attr, pad1; /* as VMX has it, and cpu/x86/regs.h */
};

struct haxm_regs {
	uint64_t r[16], rip, rflags;
	struct haxm_seg cs, ss, ds, es, fs, gs, ldt, tr, gdt, idt;
	uint64_t cr0, cr2, cr3, cr4;
	uint64_t dr[6]; /* 0 to 3, 6, 7 */
	/* What HAXM_GET_REGS does not give out, nor HAXM_SET_REGS take. */
	uint64_t pde;
	uint32_t efer, sysenter_cs;
	uint64_t sysenter_eip, sysenter_esp;
	uint32_t activity, pad;
	uint64_t interruptibility;
};

struct haxm_fpu {
	_Alignas(16) uint8_t fxsave[512];
};

struct haxm_msr {
	uint64_t msr, val;
};

/* Fewer than HAXM_MSRS. */
struct haxm_msrs {
	uint16_t n, done, pad[2]; /* done: up to one that it does not know, or refuses */
	struct haxm_msr entry[HAXM_MSRS];
};

enum { HAXM_CPUID_MAX = 0x40 };

struct haxm_leaf {
	uint32_t leaf, sub, flags, eax, ebx, ecx, edx, pad[3];
};

struct haxm_cpuid {
	uint32_t n, pad;
	struct haxm_leaf entry[HAXM_CPUID_MAX];
};

_Static_assert(sizeof(struct haxm_capability) == 16 && sizeof(struct haxm_ram) == 40 &&
		   sizeof(struct haxm_tunnel) == 56 && sizeof(struct haxm_mmio) == 56 &&
		   sizeof(struct haxm_seg) == 24 && sizeof(struct haxm_regs) == 512 &&
		   sizeof(struct haxm_fpu) == 512 && sizeof(struct haxm_msrs) == 520 &&
		   sizeof(struct haxm_leaf) == 40,
    "structs are as the kernel's");

/* /dev/HAX */
#define HAXM_DEVICE         "/dev/HAX"
#define HAXM_GET_VERSION    _IOWR(0, 0x20, struct haxm_version)
#define HAXM_CREATE_VM      _IOWR(0, 0x21, uint32_t)
#define HAXM_GET_CAPABILITY _IOR(0, 0x23, struct haxm_capability)

/* A VM, which lives as long as this is open; its number. */
#define HAXM_VM_DEVICE    "/dev/hax_vm/vm%02u"
#define HAXM_CREATE_CPU   _IOWR(0, 0x80, uint32_t)
#define HAXM_TELL_VERSION _IOW(0, 0x84, struct haxm_version) /* current, then least */
#define HAXM_ADD_BLOCK    _IOW(0, 0x85, struct haxm_block)
#define HAXM_SET_RAM      _IOWR(0, 0x86, struct haxm_ram)

/* A CPU; the numbers of its VM and its own. */
#define HAXM_CPU_DEVICE   "/dev/hax_vm%02u/vcpu%02u"
#define HAXM_RUN          _IO(0, 0xc0)
#define HAXM_SET_MSRS     _IOWR(0, 0xc1, struct haxm_msrs)
#define HAXM_GET_MSRS     _IOWR(0, 0xc2, struct haxm_msrs)
#define HAXM_SET_FPU      _IOW(0, 0xc3, struct haxm_fpu)
#define HAXM_GET_FPU      _IOR(0, 0xc4, struct haxm_fpu)
#define HAXM_SETUP_TUNNEL _IOWR(0, 0xc5, struct haxm_tunnel_info)
#define HAXM_INTERRUPT    _IOWR(0, 0xc6, uint32_t)
#define HAXM_SET_REGS     _IOWR(0, 0xc7, struct haxm_regs)
#define HAXM_GET_REGS     _IOWR(0, 0xc8, struct haxm_regs)
#define HAXM_SET_CPUID    _IOW(0, 0xca, struct haxm_cpuid *) /* the address of such an address */

#endif
