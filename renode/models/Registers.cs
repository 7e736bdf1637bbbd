// A block of named registers with reset values and behaviour, and the list of what firmware did wrong.
// Other widths and unknown offsets are faults. Same rules and same texts as board/virtual/registers.ts.
using System;
using System.Collections.Generic;
using Antmicro.Renode.Logging;
using Antmicro.Renode.Peripherals;
using Antmicro.Renode.Peripherals.Bus;

namespace Antmicro.Renode.Peripherals.Mbs
{
    // One list for the whole board, each text once, in the order of their first time.
    public static class Faults
    {
        public static void Record(string part, string text)
        {
            var line = $"{part}: {text}";
            lock(list)
            {
                if(!list.Contains(line)) list.Add(line);
            }
        }

        public static void Clear()
        {
            lock(list) list.Clear();
        }

        public static string Text
        {
            get { lock(list) return string.Join("\n", list); }
        }

        private static readonly List<string> list = new List<string>();
    }

    public class Register
    {
        public string Name;
        public int Size;
        public uint ResetValue;
        public Func<uint, uint> Read;
        // Answers the value to store; null: nothing changes.
        public Func<uint, uint, uint?> Write;
        public bool ReadOnly;
    }

    public abstract class RegisterBlock : IBytePeripheral, IWordPeripheral, IDoubleWordPeripheral, IKnownSize
    {
        protected RegisterBlock(string name, ulong address, long size)
        {
            this.name = name;
            this.address = address;
            Size = size;
        }

        public long Size { get; }

        // Accesses of all blocks that mean that the firmware is busy with something.
        protected static long Activity { get; private set; }

        // Fed by whoever idles as well.
        protected virtual bool MeansActivity => true;

        public byte ReadByte(long offset) => (byte)Read(offset, 1);
        public ushort ReadWord(long offset) => (ushort)Read(offset, 2);
        public uint ReadDoubleWord(long offset) => Read(offset, 4);
        public void WriteByte(long offset, byte value) => Write(offset, 1, value);
        public void WriteWord(long offset, ushort value) => Write(offset, 2, value);
        public void WriteDoubleWord(long offset, uint value) => Write(offset, 4, value);

        public virtual void Reset()
        {
            foreach(var entry in registers) values[entry.Key] = entry.Value.ResetValue;
        }

        public static string Hex(long value, int digits = 8) => "0x" + ((uint)value).ToString("x" + digits);

        protected void Define(long offset, string name, int size, uint reset = 0, Func<uint, uint> read = null,
            Func<uint, uint, uint?> write = null, bool readOnly = false)
        {
            registers[offset] = new Register { Name = name, Size = size, ResetValue = reset, Read = read, Write = write, ReadOnly = readOnly };
            values[offset] = reset;
        }

        protected uint Value(long offset) => values[offset];

        protected void Set(long offset, uint value) => values[offset] = value;

        protected void Complain(string text)
        {
            Faults.Record(name, text);
            this.Log(LogLevel.Warning, text);
        }

        private uint Read(long offset, int size)
        {
            if(MeansActivity) Activity++;
            if(!registers.TryGetValue(offset, out var register) || register.Size != size)
            {
                Complain($"{size}-byte read of {Hex((long)address + offset)}, {Nearest(offset)}");
                return 0;
            }
            return register.Read == null ? values[offset] : register.Read(values[offset]);
        }

        private void Write(long offset, int size, uint value)
        {
            if(MeansActivity) Activity++;
            if(!registers.TryGetValue(offset, out var register) || register.Size != size)
            {
                Complain($"{size}-byte write of {Hex(value)} to {Hex((long)address + offset)}, {Nearest(offset)}");
                return;
            }
            if(register.ReadOnly)
            {
                Complain($"write of {Hex(value)} to read-only {register.Name}");
                return;
            }
            var next = register.Write == null ? value : register.Write(value, values[offset]);
            if(next != null) values[offset] = next.Value;
        }

        private string Nearest(long offset)
        {
            foreach(var at in new[] { offset, offset & ~1L, offset & ~3L })
                if(registers.TryGetValue(at, out var register)) return $"where {register.Name} has {register.Size} bytes";
            return "a register that the model does not know";
        }

        private readonly string name;
        private readonly ulong address;
        private readonly Dictionary<long, Register> registers = new Dictionary<long, Register>();
        private readonly Dictionary<long, uint> values = new Dictionary<long, uint>();
    }
}
