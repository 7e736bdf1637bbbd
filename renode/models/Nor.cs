// A strict NOR medium over a MappedMemory of Renode: erase blocks, program units, cuts inside an operation, marginal cells, wear.
// Same rules as board/virtual/nor.ts. What the processor reads is the MappedMemory; the states of the units stand here.
using System;
using System.Collections.Generic;
using System.IO;
using Antmicro.Renode.Peripherals.Memory;

namespace Antmicro.Renode.Peripherals.Mbs
{
    public enum UnitState : byte
    {
        Erased,
        Programmed,
        // Torn, or half erased; a blank check answers "not blank".
        Torn,
        // The same, and a blank check answers "blank".
        TornBlank,
        // In flight at a cut; a blank check answers either way.
        Marginal,
    }

    public class Nor
    {
        public Nor(string name, MappedMemory memory, int size, int unit, int smallBlocksUpTo, int smallBlock, int block, bool noise, Random random)
        {
            Name = name;
            Size = size;
            Unit = unit;
            this.memory = memory;
            this.smallBlocksUpTo = smallBlocksUpTo;
            this.smallBlock = smallBlock;
            this.block = block;
            this.noise = noise;
            this.random = random;
            states = new UnitState[size / unit];
            Fill(0, size);
        }

        public string Name { get; }
        public int Size { get; }
        public int Unit { get; }
        public int Erases { get; private set; }
        public int Programs { get; private set; }

        public UnitState StateAt(int offset) => states[offset / Unit];

        public void BlockAt(int offset, out int start, out int size)
        {
            size = offset < smallBlocksUpTo ? smallBlock : block;
            start = offset / size * size;
        }

        // The truth, which no firmware can ask for.
        public bool CertainlyErased(int offset, int length)
        {
            for(var at = offset; at < offset + length; at += Unit)
                if(states[at / Unit] != UnitState.Erased) return false;
            return true;
        }

        public bool Blank(int offset)
        {
            var state = states[offset / Unit];
            if(state == UnitState.Marginal) return random.Next(2) == 0;
            return state == UnitState.Erased || state == UnitState.TornBlank;
        }

        // Makes the block that holds `offset` fail at programming or erasing, until Restart().
        public void Stick(int offset, bool program, bool erase)
        {
            BlockAt(offset, out var start, out _);
            if(program) stuckPrograms.Add(start);
            if(erase) stuckErases.Add(start);
        }

        // As it came from the factory: all erased, nothing stuck, nothing counted.
        public void Restart()
        {
            stuckPrograms.Clear();
            stuckErases.Clear();
            hidden = null;
            Forget(0, Size);
            Mark(0, Size, UnitState.Erased);
            Fill(0, Size);
            Erases = Programs = 0;
        }

        // False: the block is stuck, the cells are torn.
        public bool Program(int offset, byte[] data)
        {
            BlockAt(offset, out var start, out _);
            if(stuckPrograms.Contains(start))
            {
                Tear(offset, data, 0.5);
                return false;
            }
            Programs += data.Length / Unit;
            memory.WriteBytes(offset, data, data.Length);
            Mark(offset, data.Length, UnitState.Programmed);
            return true;
        }

        public bool Erase(int offset)
        {
            BlockAt(offset, out var start, out var size);
            if(stuckErases.Contains(start))
            {
                Tear(offset, null, 0.5);
                return false;
            }
            Erases++;
            Forget(start, size);
            Mark(start, size, UnitState.Erased);
            Fill(start, size);
            return true;
        }

        // The operation towards `target` (null: erased) ends in the middle. share 0: not one bit has changed, 1: all of them, else
        // each bit by chance. The cells read differently at each look until they are erased.
        public void Tear(int offset, byte[] target, double share)
        {
            int start = offset, length;
            if(target == null)
            {
                BlockAt(offset, out start, out length);
                Erases++;
            }
            else
            {
                length = target.Length;
                Programs += length / Unit;
            }
            var before = memory.ReadBytes(start, length);
            var after = target == null ? ErasedBytes(length) : (byte[])target.Clone();
            for(var i = 0; i < length; i++)
            {
                var taken = 0;
                for(var bit = 1; bit < 256; bit <<= 1)
                    if(random.NextDouble() < share) taken |= bit;
                after[i] = (byte)((before[i] & ~taken) | (after[i] & taken));
            }
            Forget(start, length);
            Mark(start, length, UnitState.Marginal);
            inFlight.Add(new InFlight { Offset = start, Before = before, After = after });
            Redraw();
        }

        // What a programmer put there before the story begins. The rest of a unit that it does not fill keeps what it reads as.
        public void Preload(int offset, byte[] bytes, int at, int length)
        {
            var piece = new byte[length];
            Buffer.BlockCopy(bytes, at, piece, 0, length);
            var start = offset / Unit * Unit;
            Forget(start, offset + length - start);
            memory.WriteBytes(offset, piece, length);
            Mark(start, offset + length - start, UnitState.Programmed);
        }

        // Makes whole blocks certainly erased, as a programmer does: no operation, no count.
        public void EraseQuietly(int offset, int length)
        {
            Forget(offset, length);
            Mark(offset, length, UnitState.Erased);
            Fill(offset, length);
        }

        // Erased noise and marginal cells look different from now on.
        public void Redraw()
        {
            if(noise)
                for(var u = 0; u < states.Length; u++)
                    if(states[u] == UnitState.Erased) Fill(u * Unit, Unit);
            foreach(var cells in inFlight)
            {
                var kind = random.Next(4); // a quarter of all looks shows the old bytes, a quarter the new ones
                var seen = new byte[cells.Before.Length];
                for(var i = 0; i < seen.Length; i++)
                {
                    var taken = kind == 0 ? 0 : kind == 1 ? 0xFF : random.Next(256);
                    seen[i] = (byte)((cells.Before[i] & ~taken) | (cells.After[i] & taken));
                }
                memory.WriteBytes(cells.Offset, seen, seen.Length);
            }
        }

        // While the sequencer holds the medium it answers no read: noise stands there meanwhile. Only for a small medium.
        public void Hide()
        {
            if(hidden != null) return;
            hidden = memory.ReadBytes(0, Size);
            var bytes = new byte[Size];
            random.NextBytes(bytes);
            memory.WriteBytes(0, bytes, Size);
        }

        public void Show()
        {
            if(hidden == null) return;
            memory.WriteBytes(0, hidden, Size);
            hidden = null;
        }

        public void Save(BinaryWriter file)
        {
            file.Write(memory.ReadBytes(0, Size));
            foreach(var state in states) file.Write((byte)state);
        }

        // Marginal cells of a file are marginal no longer: each keeps what the last look showed.
        public void Load(BinaryReader file)
        {
            inFlight.Clear();
            memory.WriteBytes(0, Exactly(file, Size), Size);
            var bytes = Exactly(file, states.Length);
            for(var i = 0; i < bytes.Length; i++)
            {
                if(bytes[i] > (byte)UnitState.Marginal) throw new InvalidDataException($"{Name}: unit {i} has the state {bytes[i]}, which does not exist");
                states[i] = bytes[i] == (byte)UnitState.Marginal ? UnitState.Torn : (UnitState)bytes[i];
            }
        }

        private static byte[] Exactly(BinaryReader file, int length)
        {
            var bytes = file.ReadBytes(length);
            if(bytes.Length != length) throw new InvalidDataException($"the flash file ends {length - bytes.Length} bytes too early");
            return bytes;
        }

        private void Mark(int offset, int length, UnitState state)
        {
            for(var at = offset; at < offset + length; at += Unit) states[at / Unit] = state;
        }

        private void Forget(int offset, int length)
        {
            inFlight.RemoveAll(cells => cells.Offset < offset + length && offset < cells.Offset + cells.Before.Length);
        }

        private byte[] ErasedBytes(int length)
        {
            var bytes = new byte[length];
            if(noise) random.NextBytes(bytes);
            else Array.Fill(bytes, (byte)0xFF);
            return bytes;
        }

        private void Fill(int offset, int length) => memory.WriteBytes(offset, ErasedBytes(length), length);

        private class InFlight
        {
            public int Offset;
            public byte[] Before;
            public byte[] After;
        }

        private readonly HashSet<int> stuckPrograms = new HashSet<int>();
        private readonly HashSet<int> stuckErases = new HashSet<int>();
        private byte[] hidden;
        private readonly MappedMemory memory;
        private readonly int smallBlocksUpTo;
        private readonly int smallBlock;
        private readonly int block;
        private readonly bool noise;
        private readonly Random random;
        private readonly UnitState[] states;
        private readonly List<InFlight> inFlight = new List<InFlight>();
    }
}
