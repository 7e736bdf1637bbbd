// The flash sequencer (RV40) of the RA6M5 with its two windows, over two strict NOR media: a twin of board/virtual/faci.ts, held to it
// by renode/faci.json. Wrong keys, modes, clocks, lengths and addresses lock it (CMDLK) and are recorded; operations take their typical
// time; power may fail in the middle of one (CutPower). Registers and sequences: FSP R7FA6M5BH.h (R_FACI_HP), r_flash_hp.c.
using System;
using System.Collections.Generic;
using System.IO;
using Antmicro.Renode.Core;
using Antmicro.Renode.Core.Structure;
using Antmicro.Renode.Exceptions;
using Antmicro.Renode.Logging;
using Antmicro.Renode.Peripherals.Bus;
using Antmicro.Renode.Peripherals.Memory;

namespace Antmicro.Renode.Peripherals.Mbs
{
    public class MbsFaci : RegisterBlock
    {
        public MbsFaci(IMachine machine, MappedMemory codeFlash, MappedMemory dataFlash, MbsSystem system, MbsCpuCache cpuCache, MbsRomCache romCache)
            : base("FACI", 0x407FE000, 0x100)
        {
            this.machine = machine;
            this.system = system;
            this.cpuCache = cpuCache;
            this.romCache = romCache;
            waiting = new Waiting(machine);
            Faults.Clear(); // a new board
            code = new Nor("code flash", codeFlash, 0x200000, 128, 0x10000, 0x2000, 0x8000, false, random);
            data = new Nor("data flash", dataFlash, 0x2000, 4, 0, 64, 64, true, random);
            Define(Fastat, "FASTAT", 1, read: _ => access | (phase == Phase.Locked ? 0x10u : 0), write: (v, old) =>
            {
                access &= v;
                return null;
            });
            Define(0x014, "FAEINT", 1, 0x98);
            Define(0x018, "FRDYIE", 1);
            Define(Fsaddr, "FSADDR", 4, write: WhenReady("FSADDR"));
            Define(Feaddr, "FEADDR", 4, write: WhenReady("FEADDR"));
            Define(Fmeprot, "FMEPROT", 2, 1, write: Keyed("FMEPROT", 0xD9, v => v & 1));
            Define(0x078, "FBPROT0", 2, write: Keyed("FBPROT0", 0x78, v => v & 1));
            Define(0x07C, "FBPROT1", 2, write: Keyed("FBPROT1", 0xB1, v => v & 1));
            Define(0x080, "FSTATR", 4, read: _ => Status(), readOnly: true);
            Define(0x084, "FENTRYR", 2, read: _ => mode, write: Keyed("FENTRYR", 0xAA, Enter));
            Define(0x08C, "FSUINITR", 2, write: Keyed("FSUINITR", 0x2D, v =>
            {
                if((v & 1) != 0) Set(Feaddr, 0);
                return v & 1;
            }));
            Define(0x0A0, "FCMDR", 2, 0xFFFF, readOnly: true);
            Define(Fbccnt, "FBCCNT", 1, write: (v, old) => v & 1);
            Define(Fbcstat, "FBCSTAT", 1, readOnly: true);
            Define(Fpsaddr, "FPSADDR", 4, readOnly: true);
            Define(0x0DC, "FSUASMON", 4, 0x8000, readOnly: true);
            Define(0x0E0, "FCPSR", 2, write: (v, old) => v & 1);
            Define(Fpckar, "FPCKAR", 2, 0x32, write: Keyed("FPCKAR", 0x1E, v => v));
        }

        // A reset, or power that comes back: the operation under way is torn, erased data flash and marginal cells look different.
        public override void Reset()
        {
            Interrupt();
            base.Reset();
            phase = Phase.Idle;
            errors = access = 0;
            polls = 0;
            bufferFree = 0;
            if(mode != ModeRead) data.Show();
            mode = ModeRead;
            powered = true;
            code.Redraw();
            data.Redraw();
        }

        [ConnectionRegion("commandArea")]
        public void WriteByteToCommandArea(long offset, byte value) => Command(offset, 1, value);

        [ConnectionRegion("commandArea")]
        public void WriteWordToCommandArea(long offset, ushort value) => Command(offset, 2, value);

        [ConnectionRegion("commandArea")]
        public void WriteDoubleWordToCommandArea(long offset, uint value) => Command(offset, 4, value);

        [ConnectionRegion("commandArea")]
        public byte ReadByteFromCommandArea(long offset) => (byte)ReadCommand(offset, 1);

        [ConnectionRegion("commandArea")]
        public ushort ReadWordFromCommandArea(long offset) => (ushort)ReadCommand(offset, 2);

        [ConnectionRegion("commandArea")]
        public uint ReadDoubleWordFromCommandArea(long offset) => ReadCommand(offset, 4);

        // For the monitor.

        // What firmware did wrong so far, one line each, every text once.
        public string FaultList => Faults.Text;

        public void ClearFaults() => Faults.Clear();

        // Flash operations begun so far: units programmed, blocks erased.
        public int Operations { get; private set; }

        public int Erases => code.Erases + data.Erases;

        public bool Powered => powered;

        // Cuts power at flash operation number `operation`, counted from now, from 0.
        // share: how many of the changing bits have changed then, 0 … 1; above 1: the operation is completed; below 0: it never began.
        public void CutPower(int operation, double share)
        {
            if(operation < 0) throw new RecoverableException($"a cut counts operations from 0, got {operation}");
            cutAt = Operations + operation;
            cutShare = share;
        }

        // Makes the block there fail from now on: what is "program" or "erase".
        public void Stick(uint address, string what)
        {
            var medium = address >= DataFlash ? data : code;
            medium.Stick((int)(address - (address >= DataFlash ? DataFlash : 0)), what == "program", what == "erase");
        }

        // Flash as it came from the factory, and nothing counted or recorded.
        public void Restart()
        {
            pending = null;
            mode = ModeRead;
            code.Restart();
            data.Restart();
            Operations = 0;
            cutAt = -1;
            Faults.Clear();
        }

        // What was flashed: an ELF, or instead of it an image; then, if there is such a file, the flash that an earlier run kept, with
        // the firmware of now. Empty: none.
        public void LoadFirmware(string elf, string image, string kept)
        {
            if(kept != "" && File.Exists(kept)) LoadFlash(kept);
            if(image != "") LoadImage(image);
            else LoadElf(elf);
        }

        // Only what the file holds, at its load addresses: a loader of Renode would write zeros for .bss into flash as well.
        public void LoadElf(string path)
        {
            var file = File.ReadAllBytes(path);
            if(file.Length < 52 || BitConverter.ToUInt32(file, 0) != 0x464C457F || file[4] != 1 || BitConverter.ToUInt16(file, 18) != 40)
                throw new RecoverableException($"{path} is no 32-bit ELF for Arm. Nothing was loaded.");
            code.EraseQuietly(0, ImageBase);
            var table = BitConverter.ToUInt32(file, 28);
            for(var i = 0; i < BitConverter.ToUInt16(file, 44); i++)
            {
                var header = (int)table + i * 32;
                var from = BitConverter.ToUInt32(file, header + 4);
                var to = BitConverter.ToUInt32(file, header + 12);
                var size = BitConverter.ToUInt32(file, header + 16);
                if(BitConverter.ToUInt32(file, header) != 1 || size == 0) continue;
                if(to >= ImageBase || size > ImageBase - to || from > file.Length || size > file.Length - from)
                    throw new RecoverableException($"{path}: {size} bytes at {Hex(to)} do not fit the firmware's place in flash");
                code.Preload((int)to, file, (int)from, (int)size);
            }
        }

        // Puts an image (Intel HEX) into flash, as a programmer would: its addresses only, nothing but flash.
        public void LoadImage(string path)
        {
            var pieces = IntelHex.Read(path);
            foreach(var (address, bytes) in pieces)
            {
                var medium = address >= DataFlash ? data : code;
                var offset = (int)(address - (address >= DataFlash ? DataFlash : 0));
                if(address >= DataFlash + 0x10000000 || offset + bytes.Length > medium.Size)
                    throw new RecoverableException($"{path}: {bytes.Length} bytes at {Hex(address)} are not all in flash. Nothing was loaded.");
            }
            foreach(var (address, bytes) in pieces)
            {
                if(address >= DataFlash) data.Preload((int)(address - DataFlash), bytes, 0, bytes.Length);
                else code.Preload((int)address, bytes, 0, bytes.Length);
            }
        }

        // Keeps both flashes in a file, or takes them from it; the latter before the board starts.
        public void SaveFlash(string path)
        {
            data.Show();
            using(var file = new BinaryWriter(File.Create(path)))
            {
                file.Write(FileMagic);
                code.Save(file);
                data.Save(file);
            }
            if(mode != ModeRead) data.Hide();
        }

        public void LoadFlash(string path)
        {
            try
            {
                using(var file = new BinaryReader(File.OpenRead(path)))
                {
                    if(file.ReadUInt32() != FileMagic) throw new InvalidDataException("it is no flash file");
                    code.Load(file);
                    data.Load(file);
                }
            }
            catch(Exception error) when(error is IOException || error is InvalidDataException)
            {
                throw new RecoverableException($"{path} cannot be loaded: {error.Message}");
            }
        }

        private Func<uint, uint, uint?> Keyed(string name, uint key, Func<uint, uint> apply)
        {
            return (value, stored) =>
            {
                if(value >> 8 == key) return apply(value & 0xFF);
                Complain($"{name} written without its key {Hex(key, 2)}: {Hex(value, 4)}");
                return stored;
            };
        }

        private Func<uint, uint, uint?> WhenReady(string name)
        {
            return (value, stored) =>
            {
                if(pending == null) return value;
                Complain($"{name} written while an operation runs");
                return stored;
            };
        }

        private uint Status()
        {
            Advance();
            var now = waiting.Now;
            var status = errors;
            if(bufferFree > now) status |= Dbfull;
            if(pending == null) return status | Frdy;
            // whoever reads this waits: the second look without an answer lets time pass
            if(++polls > PollsToSkip) waiting.SkipTo(pending.End, SkipNs);
            return status;
        }

        private uint Enter(uint value)
        {
            Advance();
            if(pending != null)
            {
                Complain("FENTRYR written while an operation runs");
                return 0;
            }
            if(value == ModeCode && (Value(Fmeprot) & 1) != 0)
            {
                Complain("code-flash P/E mode asked for while FMEPROT locks it");
                return 0;
            }
            if(value != ModeRead && value != ModeCode && value != ModeData)
            {
                Lock(Feseterr | Ilglerr, $"FENTRYR asked for mode {Hex(value, 2)}");
                return 0;
            }
            if(value != ModeRead)
            {
                if(!system.FlashWritable) Complain("P/E mode entered while FWEPROR forbids it");
                if(value == ModeCode && cpuCache.On) Complain("code-flash P/E mode entered with the C-cache on");
                romCache.Check();
                cpuCache.Check();
            }
            mode = value;
            // in P/E mode the flash answers no read; of code flash, 2 MB, that is not modelled
            if(mode == ModeData) data.Hide();
            else data.Show();
            return 0;
        }

        private void Lock(uint why, string text)
        {
            errors |= why;
            phase = Phase.Locked;
            fifo.Clear();
            Complain(text);
        }

        private uint ReadCommand(long offset, int size)
        {
            Complain($"{size}-byte read of the command area at {Hex(CommandArea + offset)}");
            return 0;
        }

        private void Command(long offset, int size, uint value)
        {
            if(!powered) return;
            Advance();
            if(offset != 0 || size == 4)
            {
                Lock(Ilglerr | Ilgcomerr, $"{size}-byte write to the command area at {Hex(CommandArea + offset)}");
                return;
            }
            var pc = waiting.Pc;
            if(mode == ModeCode && pc < (ulong)code.Size)
                Complain($"a command in code-flash P/E mode comes from code flash itself, pc {Hex((long)pc)}");
            if(size == 1 && value == Stop)
            {
                ForcedStop();
                return;
            }
            if(mode == ModeRead)
            {
                Lock(Ilglerr, $"command {Hex(value, 2)} in read mode");
                return;
            }
            if(pending != null)
            {
                Lock(Ilglerr, $"command {Hex(value, 2)} while an operation runs");
                return;
            }
            switch(phase)
            {
            case Phase.Locked:
                if(size == 1 && value == Clear) StatusClear();
                else Complain($"command {Hex(value, 2)} while the sequencer is locked (CMDLK)");
                break;
            case Phase.Idle:
                Begin(size, value);
                break;
            case Phase.Count:
                Count(size, value);
                break;
            case Phase.Data:
                Take(size, value);
                break;
            default:
                Execute(size, value);
                break;
            }
        }

        private void Begin(int size, uint value)
        {
            Set(0x0A0, ((Value(0x0A0) & 0xFF) << 8) | (value & 0xFF));
            if(size == 1 && value == ProgramCode) phase = Phase.Count;
            else if(size == 1 && value == EraseCode) phase = Phase.Erase;
            else if(size == 1 && value == BlankCode) phase = Phase.Blank;
            else Lock(Ilglerr | Ilgcomerr, $"{size}-byte write of {Hex(value, 2)} is no command");
        }

        private void Count(int size, uint value)
        {
            var legal = mode == ModeCode ? value == 0x40 : value == 2 || value == 4 || value == 8;
            if(size != 1 || !legal)
            {
                Lock(Ilglerr | Ilgcomerr, $"program of {value} halfwords in this mode");
                return;
            }
            expected = (int)value;
            fifo.Clear();
            phase = Phase.Data;
        }

        private void Take(int size, uint value)
        {
            if(fifo.Count == expected)
            {
                Execute(size, value);
                return;
            }
            if(size != 2)
            {
                Lock(Ilglerr | Ilgcomerr, "program data written as bytes instead of halfwords");
                return;
            }
            var now = waiting.Now;
            if(bufferFree > now)
            {
                Lock(Ilglerr, "program data written while DBFULL is set");
                return;
            }
            fifo.Add((ushort)value);
            bufferFree = waiting.Pc == null ? 0 : now + BufferNs; // a monitor's writes take no virtual time
        }

        private void Execute(int size, uint value)
        {
            if(size != 1 || value != ExecuteCode)
            {
                Lock(Ilglerr | Ilgcomerr, $"{Hex(value, 2)} where 0xD0 ends the command");
                return;
            }
            var was = phase;
            phase = Phase.Idle;
            if(!MayRun()) return;
            if(was == Phase.Data) Program();
            else if(was == Phase.Erase) Erase();
            else BlankCheck();
        }

        private bool MayRun()
        {
            var mhz = system.Fclk / 1e6;
            if(!system.FlashWritable) Lock(Flweerr | Ilglerr, "flash command while FWEPROR forbids it");
            else if(mhz < 4 || mhz > 50) Lock(Ilglerr, $"flash command at FCLK {mhz} MHz, outside 4 … 50 MHz");
            else if(Value(Fpckar) != Math.Ceiling(mhz)) Lock(Ilglerr, $"FPCKAR says {Value(Fpckar)} MHz, FCLK is {mhz} MHz");
            else return true;
            return false;
        }

        // Offset in the medium of the present mode; false after an access error.
        private bool Target(uint address, long length, int alignment, out Nor medium, out int offset)
        {
            medium = mode == ModeCode ? code : data;
            var at = address - (mode == ModeCode ? 0L : DataFlash);
            offset = (int)at;
            if(at >= 0 && at + length <= medium.Size && at % alignment == 0) return true;
            access |= mode == ModeCode ? Cfae : Dfae;
            Lock(Ilglerr, $"flash command at {Hex(address)}, which is outside the flash of this mode or misaligned");
            return false;
        }

        private void Program()
        {
            var length = expected * 2;
            if(!Target(Value(Fsaddr), length, length, out var medium, out var offset)) return;
            var bytes = new byte[length];
            for(var i = 0; i < expected; i++)
            {
                bytes[2 * i] = (byte)fifo[i];
                bytes[2 * i + 1] = (byte)(fifo[i] >> 8);
            }
            if(!medium.CertainlyErased(offset, length))
            {
                Lock(Prgerr, $"{medium.Name} programmed at {Hex(offset)}, which is not certainly erased");
                return;
            }
            Start(medium == code ? CodeProgramNs : DataProgramNs * (0.5 + length / 8.0), medium, offset, bytes);
        }

        private void Erase()
        {
            var address = Value(Fsaddr);
            if(!Target(address, 1, 1, out var medium, out var offset)) return;
            medium.BlockAt(offset, out var start, out var size);
            if(start != offset)
            {
                access |= medium == code ? Cfae : Dfae;
                Lock(Ilglerr, $"erase at {Hex(address)}, where no block begins");
                return;
            }
            Start(medium == code ? size * CodeEraseNsPerByte : DataEraseNs, medium, offset, null);
        }

        private void BlankCheck()
        {
            var from = Value(Fsaddr);
            var to = (long)(Value(Feaddr) | 3) + 1;
            if(mode != ModeData)
            {
                Lock(Ilglerr, "blank check outside data-flash P/E mode");
                return;
            }
            if((Value(Fbccnt) & 1) != 0) Complain("blank check downwards (FBCCNT) is not modelled");
            if(!Target(from, to - from, data.Unit, out _, out var offset)) return;
            if(to <= from)
            {
                Lock(Ilglerr, $"blank check from {Hex(from)} to {Hex(to)}");
                return;
            }
            var end = offset + (int)(to - from);
            Begin(BlankNs + (end - offset) / data.Unit * BlankNsPerUnit, () =>
            {
                Set(Fbcstat, 0);
                for(var at = offset; at < end; at += data.Unit)
                {
                    if(data.Blank(at)) continue;
                    Set(Fbcstat, 1);
                    Set(Fpsaddr, (uint)at);
                    return;
                }
            }, null);
        }

        // One operation of flash: bytes programmed, or, without bytes, a block erased.
        private void Start(double ns, Nor medium, int offset, byte[] bytes)
        {
            var number = Operations++;
            Action<double> tear = share =>
            {
                data.Show();
                medium.Tear(offset, bytes, share);
                if(mode == ModeData) data.Hide();
            };
            Begin(ns, () =>
            {
                if(number == cutAt)
                {
                    CutNow(number, tear, medium, offset, bytes);
                    return;
                }
                Apply(medium, offset, bytes);
            }, tear);
        }

        private void Apply(Nor medium, int offset, byte[] bytes)
        {
            data.Show();
            var kept = bytes == null ? medium.Erase(offset) : medium.Program(offset, bytes);
            if(mode == ModeData) data.Hide();
            if(!kept) // the hardware failed, not the firmware: locked without a fault
            {
                errors |= bytes == null ? Erserr : Prgerr;
                phase = Phase.Locked;
            }
            if(medium == code) romCache.FlashChanged();
            cpuCache.FlashChanged();
        }

        private void Begin(double ns, Action finish, Action<double> tear)
        {
            pending = new Pending { End = waiting.Now + ns * (0.9 + random.NextDouble() * 0.2), Finish = finish, Tear = tear };
            polls = 0;
        }

        private void Advance()
        {
            var now = pending;
            if(now == null || waiting.Now < now.End) return;
            pending = null;
            now.Finish();
        }

        // A reset, a forced stop or the end of power meets the operation under way: its cells are torn, and marginal.
        private void Interrupt()
        {
            Advance();
            var torn = pending;
            pending = null;
            torn?.Tear?.Invoke(0.5);
        }

        private void CutNow(int operation, Action<double> tear, Nor medium, int offset, byte[] bytes)
        {
            cutAt = -1;
            if(cutShare > 1) Apply(medium, offset, bytes);
            else if(cutShare >= 0) tear(cutShare);
            powered = false;
            this.Log(LogLevel.Info, "power was cut at flash operation {0}", operation);
            if(waiting.Pc != null) machine.PauseAndRequestEmulationPause();
        }

        private void StatusClear()
        {
            errors = 0;
            if(access == 0) phase = Phase.Idle;
        }

        private void ForcedStop()
        {
            Interrupt();
            errors = 0;
            phase = access != 0 ? Phase.Locked : Phase.Idle;
            fifo.Clear();
            Begin(StopNs, () => { }, null);
        }

        private enum Phase
        {
            Idle,
            Count,
            Data,
            Erase,
            Blank,
            Locked,
        }

        private class Pending
        {
            public double End;
            public Action Finish;
            public Action<double> Tear;
        }

        private const long CommandArea = 0x407E0000;
        private const long Fastat = 0x010;
        private const long Fsaddr = 0x030;
        private const long Feaddr = 0x034;
        private const long Fmeprot = 0x044;
        private const long Fbccnt = 0x0D0;
        private const long Fbcstat = 0x0D4;
        private const long Fpsaddr = 0x0D8;
        private const long Fpckar = 0x0E4;
        private const uint Dfae = 0x08;
        private const uint Cfae = 0x80;
        private const uint Flweerr = 1 << 6;
        private const uint Dbfull = 1 << 10;
        private const uint Prgerr = 1 << 12;
        private const uint Erserr = 1 << 13;
        private const uint Ilglerr = 1 << 14;
        private const uint Frdy = 1 << 15;
        private const uint Feseterr = 1 << 22;
        private const uint Ilgcomerr = 1 << 23;
        private const uint ModeRead = 0x00;
        private const uint ModeCode = 0x01;
        private const uint ModeData = 0x80;
        private const uint ProgramCode = 0xE8;
        private const uint EraseCode = 0x20;
        private const uint BlankCode = 0x71;
        private const uint ExecuteCode = 0xD0;
        private const uint Clear = 0x50;
        private const uint Stop = 0xB3;
        private const double BufferNs = 100;
        private const double StopNs = 20_000;
        private const double CodeProgramNs = 340_000;
        private const double CodeEraseNsPerByte = 157e6 / 32768;
        private const double DataProgramNs = 160_000;
        private const double DataEraseNs = 1_700_000;
        private const double BlankNs = 30_000;
        private const double BlankNsPerUnit = 500;
        private const double SkipNs = 1_000_000;
        private const int PollsToSkip = 1;
        private const uint DataFlash = 0x08000000;
        private const int ImageBase = 0x040000;
        private const uint FileMagic = 0x4E53424D; // "MBSN"

        private uint mode = ModeRead;
        private Phase phase = Phase.Idle;
        private uint errors;
        private uint access;
        private int expected;
        private double bufferFree;
        private Pending pending;
        private int polls;
        private bool powered = true;
        private int cutAt = -1;
        private double cutShare;
        private readonly List<ushort> fifo = new List<ushort>();
        private readonly Random random = new Random();
        private readonly IMachine machine;
        private readonly MbsSystem system;
        private readonly MbsCpuCache cpuCache;
        private readonly MbsRomCache romCache;
        private readonly Waiting waiting;
        private readonly Nor code;
        private readonly Nor data;
    }
}
