// DWT: the cycle counter at ICLK 192 MHz, and a way past idling. The firmware's main loop polls its UART, feeds the watchdog and looks at
// this counter; a processor that does nothing but that for a while lets time pass. Armv8-M ARM (DDI 0553) D1.2.70.
using Antmicro.Renode.Core;

namespace Antmicro.Renode.Peripherals.Mbs
{
    public class MbsCycles : RegisterBlock
    {
        public MbsCycles(IMachine machine) : base("DWT", 0xE0001000, 0x1000)
        {
            waiting = new Waiting(machine);
            Define(0x000, "DWT_CTRL", 4, 0x40000000);
            Define(0x004, "DWT_CYCCNT", 4, read: _ => Count(), write: (v, old) =>
            {
                offset = v - Now(waiting.Now);
                return null;
            });
        }

        protected override bool MeansActivity => false;

        private uint Count()
        {
            if((Value(0) & 1) == 0) return 0;
            var now = waiting.Now;
            var idle = now - last < CloseNs && Activity == seen;
            last = now;
            seen = Activity;
            turns = idle ? turns + 1 : 0;
            if(turns > TurnsToSkip) waiting.SkipTo(now + IdleNs, IdleNs);
            return (uint)(Now(now) + offset);
        }

        private static long Now(double ns) => (long)(ns * 0.192);

        private const double CloseNs = 3000;
        private const double IdleNs = 1_000_000;
        private const int TurnsToSkip = 16;
        private double last;
        private long seen;
        private int turns;
        private long offset;
        private readonly Waiting waiting;
    }
}
