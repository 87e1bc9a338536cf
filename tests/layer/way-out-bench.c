/*
 * A bench for the way out of recovery (firmware/way-out): an EFI program that starts it from its
 * Android boot image, as NVIDIA's launcher does, once for each case, in one start of the firmware.
 *
 * CASES.BIN on the volume that this program was started from has the cases. Before each one the
 * variables are set as the case says. While the way out runs, the firmware's SetVariable, Stall
 * and ResetSystem are told of instead of done, but for SetVariable, which is both. A reset ends
 * the case. All is told on the console in lines that begin with "@"; check-way-out reads them.
 */

#include <efi.h>
#include <efilib.h>

#define VARIABLES 7
#define ABSENT 0xFF
#define NOBODY 0xFF
/* Bits of `fault`: SetVariable of `fault & 7` fails, or says that it was done and does nothing;
   the first ResetSystem returns. */
#define FAILS 0x10
#define LOSES 0x20
#define RESET_RETURNS 0x40

#pragma pack(1)
typedef struct {
	UINT8 image;
	UINT8 fault;
	struct {
		UINT8 size;
		UINT8 value[8];
	} variable[VARIABLES];
} Case;
#pragma pack()

#define NVIDIA {0x781e084c, 0xa330, 0x417c, {0xb6, 0x78, 0x38, 0xe6, 0x96, 0x38, 0x0c, 0xb9}}
#define OURS {0x3c1a9b57, 0x0f4e, 0x4d0b, {0x9a, 0x71, 0x7a, 0x0c, 0x2b, 0x6f, 0x51, 0xde}}
#define UNKEPT (EFI_VARIABLE_BOOTSERVICE_ACCESS | EFI_VARIABLE_RUNTIME_ACCESS)
#define KEPT (UNKEPT | EFI_VARIABLE_NON_VOLATILE)

/* In the order of check-way-out. */
static struct {
	CHAR16 *name;
	EFI_GUID guid;
	UINT32 attributes;
} variables[VARIABLES] = {
	{L"RootfsStatusSlotA", NVIDIA, KEPT}, {L"RootfsStatusSlotB", NVIDIA, KEPT},
	{L"TottonAudioGood", OURS, KEPT},     {L"BootChainFwCurrent", NVIDIA, UNKEPT},
	{L"BootChainFwStatus", NVIDIA, KEPT}, {L"BootChainFwNext", NVIDIA, KEPT},
	{L"TottonAudioWayOut", OURS, KEPT},
};

static EFI_SET_VARIABLE set_variable;
static EFI_RESET_SYSTEM reset_system;
static EFI_STALL stall;
static EFI_HANDLE child;
static UINT8 fault;

static UINTN index_of(CHAR16 *name, EFI_GUID *guid)
{
	UINTN index;

	for (index = 0; index < VARIABLES; index++)
		if (!StrCmp(name, variables[index].name) && !CompareMem(guid, &variables[index].guid, sizeof(*guid)))
			return index;
	return NOBODY;
}

static VOID tell(CHAR16 *what, UINTN index, UINT32 attributes, UINT8 *value, UINTN size)
{
	Print(L"@%s %d %x ", what, index, attributes);
	for (UINTN i = 0; i < size; i++)
		Print(L"%02x", value[i]);
	Print(L"\n");
}

static EFI_STATUS EFIAPI watched_set(CHAR16 *name, EFI_GUID *guid, UINT32 attributes, UINTN size, VOID *value)
{
	UINTN index = index_of(name, guid);

	tell(L"set", index, attributes, value, size);
	if (index == (fault & 7)) {
		if (fault & FAILS)
			return EFI_DEVICE_ERROR;
		if (fault & LOSES)
			return EFI_SUCCESS;
	}
	return set_variable(name, guid, attributes, size, value);
}

static EFI_STATUS EFIAPI watched_stall(UINTN microseconds)
{
	Print(L"@stall %ld\n", (UINT64)microseconds);
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI watched_reset(EFI_RESET_TYPE type, EFI_STATUS status, UINTN size, CHAR16 *data)
{
	(void)status;
	(void)size;
	(void)data;
	Print(L"@reset %d\n", type);
	if (fault & RESET_RETURNS) {
		fault &= ~RESET_RETURNS;
		return EFI_UNSUPPORTED;
	}
	return BS->Exit(child, EFI_SUCCESS, 0, NULL);
}

static VOID watch(BOOLEAN on)
{
	RT->SetVariable = on ? watched_set : set_variable;
	RT->ResetSystem = on ? watched_reset : reset_system;
	BS->Stall = on ? watched_stall : stall;
}

static VOID end(CHAR16 *why)
{
	Print(L"@end %s\n", why);
	reset_system(EfiResetShutdown, EFI_SUCCESS, 0, NULL);
}

static UINT8 *read_file(EFI_FILE_HANDLE root, CHAR16 *name, UINTN *size)
{
	EFI_FILE_HANDLE file;
	UINT8 *bytes;

	*size = 1 << 20;
	bytes = AllocatePool(*size);
	if (root->Open(root, &file, name, EFI_FILE_MODE_READ, 0) != EFI_SUCCESS || file->Read(file, size, bytes) != EFI_SUCCESS)
		end(name);
	file->Close(file);
	return bytes;
}

/* As AndroidBootImgBoot in edk2's EmbeddedPkg: the kernel is behind a page of header. */
static VOID start(EFI_HANDLE image, UINT8 *android)
{
	UINT32 size = *(UINT32 *)(android + 8), page = *(UINT32 *)(android + 36);
	struct {
		MEMMAP_DEVICE_PATH memory;
		EFI_DEVICE_PATH end;
	} path = {
		{{HARDWARE_DEVICE_PATH, HW_MEMMAP_DP, {sizeof(MEMMAP_DEVICE_PATH), 0}}, 0, (UINTN)android + page,
			(UINTN)android + page + size},
		{END_DEVICE_PATH_TYPE, END_ENTIRE_DEVICE_PATH_SUBTYPE, {sizeof(EFI_DEVICE_PATH), 0}},
	};
	EFI_STATUS status = BS->LoadImage(TRUE, image, (EFI_DEVICE_PATH *)&path, android + page, size, &child);

	if (status != EFI_SUCCESS) {
		Print(L"@load %r\n", status);
		return;
	}
	watch(TRUE);
	status = BS->StartImage(child, NULL, NULL);
	watch(FALSE);
	Print(L"@started %r\n", status);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	EFI_LOADED_IMAGE *self;
	EFI_FILE_HANDLE root;
	UINTN size, count, got, index;
	Case *cases;

	(void)system;
	set_variable = RT->SetVariable;
	reset_system = RT->ResetSystem;
	stall = BS->Stall;
	if (BS->HandleProtocol(image, &LoadedImageProtocol, (VOID **)&self) != EFI_SUCCESS)
		end(L"no loaded image");
	root = LibOpenRoot(self->DeviceHandle);
	cases = (Case *)read_file(root, L"CASES.BIN", &size);
	count = size / sizeof(Case);
	for (UINTN number = 0; number < count; number++) {
		CHAR16 name[16];

		Print(L"\n@case %d\n", number);
		for (index = 0; index < VARIABLES; index++) {
			set_variable(variables[index].name, &variables[index].guid, 0, 0, NULL);
			if (cases[number].variable[index].size == ABSENT)
				continue;
			if (set_variable(variables[index].name, &variables[index].guid, variables[index].attributes,
					cases[number].variable[index].size, cases[number].variable[index].value) != EFI_SUCCESS)
				end(variables[index].name);
		}
		fault = cases[number].fault;
		SPrint(name, sizeof(name), L"%d.IMG", cases[number].image);
		UINT8 *android = read_file(root, name, &got);
		start(image, android);
		FreePool(android);
		for (index = 0; index < VARIABLES; index++) {
			UINT32 attributes;
			UINT8 value[16];

			got = sizeof(value);
			if (RT->GetVariable(variables[index].name, &variables[index].guid, &attributes, &got, value) == EFI_SUCCESS)
				tell(L"variable", index, attributes, value, got);
		}
	}
	end(L"of all cases");
	return EFI_SUCCESS;
}
