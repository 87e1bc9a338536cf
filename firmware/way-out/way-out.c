/*
 * The way out of RECOVERY on a Jetson Orin: the program in the recovery partition.
 *
 * NVIDIA's launcher starts the recovery partition when no slot may start any more. This program
 * allows the confirmed slots to start again, changes to a confirmed one, and restarts the board.
 *
 *   confirmed slots     TottonAudioGood; both where it says nothing usable
 *   each of them        RootfsStatusSlotX := 0
 *   another one runs    BootChainFwStatus deleted, then BootChainFwNext := the confirmed slot
 *   always              TottonAudioWayOut counts the run; a pause; a cold reset
 *
 * Each write leads on by itself, and the next run repeats what a power cut left out. The launcher
 * has cleared its retry register before (L4TRootfsValidation.c in edk2-nvidia), so that each slot
 * whose status is 0 has all its starts again.
 */

#include <efi.h>
#include <efilib.h>

/* `BootChainFw*` and `RootfsStatusSlot*`: gNVIDIAPublicVariableGuid. */
static EFI_GUID nvidia = {0x781e084c, 0xa330, 0x417c, {0xb6, 0x78, 0x38, 0xe6, 0x96, 0x38, 0x0c, 0xb9}};
/* `TottonAudio*`; also in rust/totton-audio-slot. */
static EFI_GUID ours = {0x3c1a9b57, 0x0f4e, 0x4d0b, {0x9a, 0x71, 0x7a, 0x0c, 0x2b, 0x6f, 0x51, 0xde}};

/* All that are written are kept, and are there for the running system, too. */
#define KEPT (EFI_VARIABLE_NON_VOLATILE | EFI_VARIABLE_BOOTSERVICE_ACCESS | EFI_VARIABLE_RUNTIME_ACCESS)

#define BOOTABLE 0
#define BOTH 3
#define SLOTS 2

/* Pauses in seconds: long enough to read; and for a board that comes back here again and again.
   Both are below the five minutes that the launcher's watchdog leaves. */
#define PAUSE 2
#define LONG_PAUSE 60
/* Runs in a row with the short pause. The confirmed slot's first unit deletes the count. */
#define SHORT_RUNS 3

static CHAR16 *const status_of[SLOTS] = {L"RootfsStatusSlotA", L"RootfsStatusSlotB"};
static CHAR16 *const letter[SLOTS] = {L"a", L"b"};
static CHAR16 *const slots_of[BOTH + 1] = {L"none", L"a", L"b", L"a and b"};

/* Reads a variable that has exactly `size` bytes. */
static BOOLEAN get(CHAR16 *name, EFI_GUID *guid, VOID *value, UINTN size)
{
	UINTN found = size;

	return RT->GetVariable(name, guid, NULL, &found, value) == EFI_SUCCESS && found == size;
}

/* Writes a number where there is another or none, and reads it back. */
static BOOLEAN keep(CHAR16 *name, EFI_GUID *guid, UINT32 value)
{
	EFI_STATUS status;
	UINT32 found;

	if (get(name, guid, &found, sizeof(found)) && found == value) {
		Print(L"  %s is %u\n", name, value);
		return TRUE;
	}
	status = RT->SetVariable(name, guid, KEPT, sizeof(value), &value);
	if (status != EFI_SUCCESS) {
		Print(L"  %s could not be set to %u: %r\n", name, value, status);
		return FALSE;
	}
	if (!get(name, guid, &found, sizeof(found)) || found != value) {
		Print(L"  %s was set to %u and did not keep it\n", name, value);
		return FALSE;
	}
	Print(L"  %s := %u\n", name, value);
	return TRUE;
}

static VOID delete(CHAR16 *name, EFI_GUID *guid)
{
	EFI_STATUS status = RT->SetVariable(name, guid, KEPT, 0, NULL);

	if (status == EFI_SUCCESS)
		Print(L"  %s deleted\n", name);
	else if (status != EFI_NOT_FOUND)
		Print(L"  %s could not be deleted: %r\n", name, status);
}

/* The confirmed slots, bit 0 slot a, bit 1 slot b: never none. */
static UINT8 good_slots(VOID)
{
	UINT8 mask;

	if (get(L"TottonAudioGood", &ours, &mask, sizeof(mask)) && mask >= 1 && mask <= BOTH) {
		Print(L"Confirmed: slot %s.\n", slots_of[mask]);
		return mask;
	}
	Print(L"No usable note of confirmed slots: both are tried.\n");
	return BOTH;
}

/* Counts this run. FALSE: the count could not be kept. */
static BOOLEAN count_run(UINT32 *runs)
{
	if (!get(L"TottonAudioWayOut", &ours, runs, sizeof(*runs)))
		*runs = 0;
	if (*runs != 0xFFFFFFFF)
		(*runs)++;
	return keep(L"TottonAudioWayOut", &ours, *runs);
}

/* The next start is one of a confirmed slot. */
static VOID leave_bad_slot(UINT8 good)
{
	UINT32 running;

	if (!get(L"BootChainFwCurrent", &nvidia, &running, sizeof(running)) || running >= SLOTS) {
		/* The launcher goes by the status then. */
		Print(L"The firmware does not tell which slot runs.\n");
		return;
	}
	Print(L"Running: slot %s.\n", letter[running]);
	if (good & 1 << running)
		return;
	/* While there is a status the firmware takes no other chain. */
	delete(L"BootChainFwStatus", &nvidia);
	keep(L"BootChainFwNext", &nvidia, 1 - running);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	UINT32 runs, pause;
	BOOLEAN counted;
	UINT8 good;

	(void)image;
	(void)system;
	Print(L"\nTotton Audio, way out of recovery: the firmware had no slot left to start.\n");
	counted = count_run(&runs);
	good = good_slots();
	for (UINTN slot = 0; slot < SLOTS; slot++) {
		if (good & 1 << slot)
			keep(status_of[slot], &nvidia, BOOTABLE);
	}
	leave_bad_slot(good);

	pause = counted && runs <= SHORT_RUNS ? PAUSE : LONG_PAUSE;
	Print(L"Run %u without a start in between. Restart in %u seconds.\n", runs, pause);
	for (;;) {
		BS->Stall((UINTN)pause * 1000 * 1000);
		RT->ResetSystem(EfiResetCold, EFI_SUCCESS, 0, NULL);
		/* It does not return. If it does, another try follows after another pause. */
		Print(L"The board did not restart.\n");
	}
}
