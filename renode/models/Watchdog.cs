// WDT in register-start mode: counts PCLKB (48 MHz) down from the first refresh on; nobody refreshes it: a reset. As board/virtual/wdt.ts,
// without the refresh window, which the firmware does not use.
using System.Collections.Generic;
using Antmicro.Renode.Core;
using Antmicro.Renode.Peripherals.Timers;

namespace Antmicro.Renode.Peripherals.Mbs
{
    public class MbsWatchdog : RegisterBlock
    {
        public MbsWatchdog(IMachine machine, MbsSystem system) : base("WDT", 0x40083400, 0x100)
        {
            waiting = new Waiting(machine);
            timer = new LimitTimer(machine.ClockSource, 1000, this, "watchdog", LookMs, eventEnabled: true);
            timer.LimitReached += () =>
            {
                if(waiting.Roughly < end || waiting.Halted) return; // it stops while a debugger, or a power cut, holds the processor
                timer.Enabled = false;
                Complain("nobody refreshed it in time");
                system.WatchdogReset();
                machine.RequestReset();
            };
            Define(0x00, "WDTRR", 1, 0xFF, write: Refresh);
            Define(Settings, "WDTCR", 2, 0x33F3, write: (v, old) => Once("WDTCR", v, old));
            Define(0x04, "WDTSR", 2, readOnly: true);
            Define(0x06, "WDTRCR", 1, 0x80, write: (v, old) => Once("WDTRCR", v, old));
            Define(0x08, "WDTCSTPR", 1, 0x80, write: (v, old) => Once("WDTCSTPR", v, old));
        }

        public override void Reset()
        {
            base.Reset();
            timer.Reset();
            started = primed = false;
            written.Clear();
        }

        protected override bool MeansActivity => false;

        private uint? Refresh(uint value, uint stored)
        {
            if(value == 0xFF && primed)
            {
                var divisor = (Value(Settings) >> 4) & 15;
                if(!started && divisor != 8) Complain($"WDTCR {Hex(Value(Settings), 4)}: only the divisor 8192 is modelled");
                end = waiting.Roughly + Counts[Value(Settings) & 3] * 8192 / Pclkb * 1e9;
                if(!started) timer.Enabled = true;
                started = true;
            }
            primed = value == 0;
            return null;
        }

        private uint? Once(string name, uint value, uint stored)
        {
            if(!started && written.Add(name)) return value;
            Complain($"{name} written twice, or after the start: it takes one write after a reset");
            return stored;
        }

        private const long Settings = 0x02;
        private const double Pclkb = 48e6;
        // A timer that is set again at each refresh would cost more than everything else; this one looks whether the time is over.
        private const ulong LookMs = 10;
        private static readonly int[] Counts = { 1024, 4096, 8192, 16384 };
        private double end;
        private bool started;
        private bool primed;
        private readonly HashSet<string> written = new HashSet<string>();
        private readonly Waiting waiting;
        private readonly LimitTimer timer;
    }
}
