/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_BOOT_KVM_PVH_H
#define TEST_BOOT_KVM_PVH_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

/* What stands before the code of an ELF program with a PVH entry (Xen, docs/misc/pvh.pandoc), as
 * Lodge starts it: 32 bits, without paging. */
enum { PVH_ENTRY = 18 };
struct pvh {
	Elf32_Ehdr head;
	Elf32_Phdr load, note;
	Elf32_Nhdr name;
	char owner[4];
	uint32_t entry;
};

/* All of the program has `size` bytes, and goes to `at`. */
static inline struct pvh pvh_head(uint32_t at, uint32_t size)
{
	const uint32_t entry = at + sizeof(struct pvh);

	return (struct pvh){
		.head = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB,
			      EV_CURRENT },
		    .e_type = ET_EXEC,
		    .e_machine = EM_386,
		    .e_version = EV_CURRENT,
		    .e_entry = entry,
		    .e_phoff = offsetof(struct pvh, load),
		    .e_ehsize = sizeof(Elf32_Ehdr),
		    .e_phentsize = sizeof(Elf32_Phdr),
		    .e_phnum = 2 },
		.load = { .p_type = PT_LOAD,
		    .p_vaddr = at,
		    .p_paddr = at,
		    .p_filesz = size,
		    .p_memsz = size,
		    .p_flags = PF_R | PF_W | PF_X },
		.note = { .p_type = PT_NOTE,
		    .p_offset = offsetof(struct pvh, name),
		    .p_filesz = sizeof(struct pvh) - offsetof(struct pvh, name),
		    .p_align = 4 },
		.name = { .n_namesz = sizeof(((struct pvh *)0)->owner),
		    .n_descsz = sizeof entry,
		    .n_type = PVH_ENTRY },
		.owner = "Xen",
		.entry = entry,
	};
}

#endif
