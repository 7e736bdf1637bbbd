// The caches in front of flash: nothing is cached here, but firmware that would read stale bytes is told so. As board/virtual/cache.ts.
// Two blocks of registers: the C-cache at 0x40007000, the ROM cache at 0x4001C000.
namespace Antmicro.Renode.Peripherals.Mbs
{
    public class MbsCpuCache : RegisterBlock
    {
        public MbsCpuCache() : base("CACHE", 0x40007000, 0x300)
        {
            Define(0x00, "CCACTL", 4, write: (v, old) =>
            {
                if((v & 1) != 0 && stale)
                {
                    stale = false;
                    Complain("flash changed and the C-cache was switched on without a flush (CCAFCT)");
                }
                return v & 1;
            });
            Define(0x04, "CCAFCT", 4, write: (v, old) =>
            {
                if((v & 1) != 0) stale = false;
                return 0;
            });
            Define(0x08, "CCALCF", 4, 1);
            Define(0x40, "SCACTL", 4);
            Define(0x44, "SCAFCT", 4, write: (v, old) => 0);
            Define(0x48, "SCALCF", 4, 1);
            Define(0x200, "CAPOAD", 4);
            Define(0x204, "CAPRCR", 4);
        }

        public override void Reset()
        {
            base.Reset();
            stale = false;
        }

        public bool On => (Value(0) & 1) != 0;

        public void FlashChanged() => stale = true;

        // To be called when the firmware goes on as usual.
        public void Check()
        {
            if(stale && On) Complain("flash changed under the C-cache, and no flush followed");
        }

        private bool stale;
    }

    public class MbsRomCache : RegisterBlock
    {
        public MbsRomCache() : base("FCACHE", 0x4001C000, 0x200)
        {
            Define(0x100, "FCACHEE", 2, write: (v, old) =>
            {
                if((v & 1) != 0) Check();
                return v & 1;
            });
            Define(0x104, "FCACHEIV", 2, write: (v, old) =>
            {
                if((v & 1) != 0) stale = false;
                return 0;
            });
            Define(0x11C, "FLWT", 1, write: (v, old) => v & 7);
            Define(0x140, "FSAR", 2, 0xFFFF);
        }

        public override void Reset()
        {
            base.Reset();
            stale = false;
        }

        public void FlashChanged() => stale = true;

        public void Check()
        {
            if(stale) Complain("code flash changed and FCACHEIV was not written afterwards");
            stale = false;
        }

        private bool stale;
    }
}
