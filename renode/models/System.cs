// Clocks, protection, oscillators, wait states and the flash-write gate: SYSC of the RA6M5, as strict as board/virtual/system.ts.
using System;
using Antmicro.Renode.Core;

namespace Antmicro.Renode.Peripherals.Mbs
{
    public class MbsSystem : RegisterBlock
    {
        public MbsSystem(IMachine machine) : base("SYSC", 0x4001E000, 0x700)
        {
            waiting = new Waiting(machine);
            Define(0x00C, "SBYCR", 2, 0x4000, write: Guarded(Power));
            Define(Divisors, "SCKDIVCR", 4, 0x22022222, write: Guarded(Clock, (v, old) => { Set(Divisors, v); Derive(); return v; }));
            Define(Source, "SCKSCR", 1, 1, write: Guarded(Clock, Select));
            Define(PllSettings, "PLLCCR", 2, 0x1300, write: Guarded(Clock, (v, old) =>
            {
                if((Value(PllStop) & 1) != 0) return v;
                Complain("PLLCCR written while the PLL runs");
                return old;
            }));
            Define(PllStop, "PLLCR", 1, 1, write: Guarded(Clock, StartPll));
            Define(0x030, "BCKCR", 1, write: Guarded(Clock));
            Define(CrystalStop, "MOSCCR", 1, 1, write: Guarded(Clock, (v, old) =>
            {
                if((v & 1) != 0) crystalReady = double.PositiveInfinity;
                else if(double.IsPositiveInfinity(crystalReady)) crystalReady = waiting.Now + CrystalStart;
                return v & 1;
            }));
            Define(0x036, "HOCOCR", 1, 1, write: Guarded(Clock));
            Define(0x037, "HOCOCR2", 1, write: Guarded(Clock));
            Define(0x038, "MOCOCR", 1, write: Guarded(Clock));
            Define(0x03C, "OSCSF", 1, read: _ => Stable(), readOnly: true);
            Define(0x0A0, "OPCCR", 1, write: Guarded(Power, (v, old) => v & 3));
            Define(0x0A2, "MOSCWTCR", 1, 5, write: Guarded(Clock, (v, old) => WhileStopped("MOSCWTCR", v & 15)));
            Define(ResetFlags, "RSTSR1", 2, write: (v, old) => resetFlags = v & old);
            foreach(var (offset, name) in new[] { (0x3C0, "CGFSAR"), (0x3C8, "LPMSAR"), (0x3CC, "RSTSAR"), (0x3D0, "BBFSAR") })
                Define(offset, name, 4, 0xFFFFFFFF, write: Guarded(Security));
            Define(Protection, "PRCR", 2, write: (v, old) =>
            {
                if(v >> 8 == 0xA5) return v & 0x1B;
                Complain($"PRCR written without its key 0xA5: {Hex(v, 4)}");
                return null;
            });
            Define(0x40E, "SYOCDCR", 1);
            Define(0x410, "RSTSR0", 1, write: (v, old) => v & old);
            Define(0x411, "RSTSR2", 1);
            Define(0x413, "MOMCR", 1, write: Guarded(Power, (v, old) => WhileStopped("MOMCR", v)));
            Define(FlashGate, "FWEPROR", 1, 2, write: (v, old) => v & 3);
            Define(0x480, "SOSCCR", 1, 1, write: Guarded(Clock));
            Define(0x481, "SOMCR", 1, write: Guarded(Clock));
            Define(0x490, "LOCOCR", 1, write: Guarded(Clock));
            Derive();
        }

        public override void Reset()
        {
            base.Reset();
            crystalReady = pllReady = double.PositiveInfinity;
            Set(ResetFlags, resetFlags);
            Derive();
        }

        // The reset that follows is the watchdog's; RSTSR1 says so until power fails or software clears it.
        public void WatchdogReset() => resetFlags |= 2;

        // To be called before the reset of a power-up.
        public void PowerUp() => resetFlags = 0;

        // FWEPROR: flash may be programmed and erased.
        public bool FlashWritable => (Value(FlashGate) & 3) == 1;

        public double Fclk { get; private set; }

        private Func<uint, uint, uint?> Guarded(int bit, Func<uint, uint, uint?> apply = null)
        {
            return (value, stored) =>
            {
                if((Value(Protection) & bit) != 0) return apply == null ? value : apply(value, stored);
                Complain($"write of {Hex(value)} to a register that PRCR bit {Math.Log2(bit)} protects");
                return null;
            };
        }

        private uint WhileStopped(string name, uint value)
        {
            if((Value(CrystalStop) & 1) == 0) Complain($"{name} written while the crystal runs");
            return value;
        }

        private uint Stable()
        {
            var now = waiting.Now;
            var next = Math.Min(crystalReady > now ? crystalReady : double.PositiveInfinity, pllReady > now ? pllReady : double.PositiveInfinity);
            if(!double.IsPositiveInfinity(next)) waiting.SkipTo(next, CrystalStart); // whoever reads this waits
            return ((Value(0x036) & 1) == 0 ? 1u : 0) | (crystalReady <= now ? 8u : 0) | (pllReady <= now ? 32u : 0);
        }

        private uint? StartPll(uint value, uint stored)
        {
            if((value & 1) != 0)
            {
                pllReady = double.PositiveInfinity;
                return 1;
            }
            if((Value(PllSettings) & 0x10) == 0 && crystalReady > waiting.Now) Complain("the PLL was started before its crystal was stable");
            if(PllInput < 8e6 || PllInput > 24e6) Complain($"PLL input {PllInput / 1e6} MHz is outside 8 … 24 MHz");
            if(PllHz < 120e6 || PllHz > 200e6) Complain($"PLL output {PllHz / 1e6} MHz is outside 120 … 200 MHz");
            pllReady = waiting.Now + PllStart;
            return 0;
        }

        private uint? Select(uint value, uint stored)
        {
            var source = value & 7;
            if(source >= SourceNames.Length)
            {
                Complain($"SCKSCR selects source {source}, which does not exist");
                return null;
            }
            var now = waiting.Now;
            if((source == 3 && crystalReady > now) || (source == 5 && pllReady > now))
                Complain($"SCKSCR selects {SourceNames[source]} before it is stable");
            Set(Source, source);
            Derive();
            return source;
        }

        private double PllInput => ((Value(PllSettings) & 0x10) == 0 ? 24e6 : 20e6) / ((Value(PllSettings) & 3) + 1);

        private double PllHz => PllInput * (((Value(PllSettings) >> 8) & 0x3F) + 1) / 2;

        // Frequencies from the registers, and the limits that they must keep. Wait states of SRAM and ROM are not looked at here.
        private void Derive()
        {
            var source = new[] { 20e6, 8e6, 32768, 24e6, 32768, PllHz }[Value(Source)];
            var divisors = Value(Divisors);
            foreach(var (shift, name, limit) in Buses)
            {
                var code = (divisors >> shift) & 7;
                if(code > 6) Complain($"SCKDIVCR {Hex(divisors)} has no divisor {code}");
                var hz = source / (1 << (int)Math.Min(code, 6));
                if(hz > limit) Complain($"{name} would run at {hz / 1e6} MHz, more than {limit / 1e6} MHz");
                if(name == "FCLK") Fclk = hz;
            }
        }

        private const int Clock = 1;
        private const int Power = 2;
        private const int Security = 16;
        private const long Divisors = 0x020;
        private const long Source = 0x026;
        private const long PllSettings = 0x028;
        private const long PllStop = 0x02A;
        private const long CrystalStop = 0x032;
        private const long ResetFlags = 0x0C0;
        private const long Protection = 0x3FE;
        private const long FlashGate = 0x416;
        private const double CrystalStart = 2e6;
        private const double PllStart = 1e5;
        private static readonly string[] SourceNames = { "HOCO", "MOCO", "LOCO", "MOSC", "SOSC", "PLL" };
        private static readonly (int, string, double)[] Buses =
        {
            (24, "ICLK", 200e6), (12, "PCLKA", 100e6), (8, "PCLKB", 50e6), (28, "FCLK", 50e6), (4, "PCLKC", 50e6), (0, "PCLKD", 100e6), (16, "BCLK", 100e6),
        };
        private uint resetFlags;
        private double crystalReady = double.PositiveInfinity;
        private double pllReady = double.PositiveInfinity;
        private readonly Waiting waiting;
    }
}
