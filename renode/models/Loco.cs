// AGT0 counting the 32.768 kHz RC oscillator LOCO, whose period jitters: the firmware's noise source. The AGT that ships with Renode
// counts without jitter, so that every board would draw the same keys. As board/virtual/agt.ts; the jitter comes from the host's entropy.
using System;
using System.Security.Cryptography;
using Antmicro.Renode.Core;

namespace Antmicro.Renode.Peripherals.Mbs
{
    public class MbsLoco : RegisterBlock
    {
        public MbsLoco(IMachine machine) : base("AGT0", 0x400E8000, 0x100)
        {
            waiting = new Waiting(machine);
            Define(0x00, "AGT", 2, 0xFFFF, read: _ => Count(), write: (v, old) =>
            {
                count = v;
                return null;
            });
            Define(0x02, "AGTCMA", 2, 0xFFFF);
            Define(0x04, "AGTCMB", 2, 0xFFFF);
            Define(Control, "AGTCR", 1, read: v => (v & 1) | (v & 1) << 1, write: Start);
            Define(Mode1, "AGTMR1", 1, write: WhileStopped);
            Define(0x0A, "AGTMR2", 1, write: WhileStopped);
            Define(0x0C, "AGTIOC", 1);
            Define(0x0D, "AGTISR", 1);
            Define(0x0E, "AGTCMSR", 1);
            Define(0x0F, "AGTIOSEL", 1);
        }

        public override void Reset()
        {
            base.Reset();
            count = 0xFFFF;
            polls = 0;
        }

        private uint? Start(uint value, uint stored)
        {
            if((value & 4) != 0)
            {
                count = 0xFFFF;
                return 0;
            }
            if((value & 1) != 0 && (stored & 1) == 0)
            {
                if(((Value(Mode1) >> 4) & 7) != 4) Complain("only the count source LOCO is modelled");
                edge = waiting.Now + Period();
            }
            return value & 1;
        }

        private uint? WhileStopped(uint value, uint stored)
        {
            if((Value(Control) & 1) == 0) return value;
            Complain("mode changed while the counter runs");
            return stored;
        }

        private uint Count()
        {
            if((Value(Control) & 1) == 0) return count;
            var now = waiting.Now;
            var before = count;
            if(now - edge > Many * PeriodNs) // after a long pause only the number of counts matters
            {
                var behind = Math.Floor((now - edge) / PeriodNs);
                count = (uint)((count - (long)behind) & 0xFFFF);
                edge += behind * PeriodNs;
            }
            for(; edge <= now; edge += Period()) count = (count - 1) & 0xFFFF;
            if(count != before) polls = 0;
            else if(++polls > PollsToSkip) waiting.SkipTo(edge, 2 * PeriodNs);
            return count;
        }

        // Four uniform draws make a bell: about 0.4 % of a period.
        private double Period()
        {
            RandomNumberGenerator.Fill(draw);
            var bell = draw[0] + draw[1] + draw[2] + draw[3] - 510;
            return PeriodNs * (1 + bell / 148.0 * 0.004);
        }

        private const long Control = 0x08;
        private const long Mode1 = 0x09;
        private const double PeriodNs = 1e9 / 32768;
        private const int PollsToSkip = 2;
        private const int Many = 4096;
        private uint count = 0xFFFF;
        private double edge;
        private int polls;
        private readonly byte[] draw = new byte[4];
        private readonly Waiting waiting;
    }
}
