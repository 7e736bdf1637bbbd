// The DMAC as far as the firmware uses it: channel 0 brings what SCI0 received into a ring, channel 1 what is to be sent to it. Normal mode,
// bytes, extended repeat areas. The links (DELSR) are fixed, and a request that meets a stopped channel is lost: firmware must do with that.
// Renode's SCI0 sends a byte at once and asks for the next in the middle of that, and at other changes too. As board/virtual/dmac.ts.
using Antmicro.Renode.Core;

namespace Antmicro.Renode.Peripherals.Mbs
{
    public class MbsDmac : RegisterBlock, IGPIOReceiver
    {
        public MbsDmac(IMachine machine) : base("DMAC", 0x40005000, 0x300)
        {
            this.machine = machine;
            foreach(var channel in new[] { Receive, Send })
            {
                var at = channel * Stride;
                Define(at + Source, "DMSAR", 4, write: (v, old) => Stopped(channel, "DMSAR", v));
                Define(at + Target, "DMDAR", 4, write: (v, old) => Stopped(channel, "DMDAR", v));
                Define(at + Count, "DMCRA", 4, write: (v, old) => Stopped(channel, "DMCRA", v));
                Define(at + Mode, "DMTMD", 2, write: (v, old) => Stopped(channel, "DMTMD", v));
                Define(at + Interrupts, "DMINT", 1, write: (v, old) =>
                {
                    if(v != 0) Complain($"DMINT of channel {channel} enables an interrupt; none is modelled");
                    return v;
                });
                Define(at + Addresses, "DMAMD", 2, write: (v, old) => Stopped(channel, "DMAMD", v));
                Define(at + Enable, "DMCNT", 1, write: (v, old) =>
                {
                    if((v & 1) != 0 && Value(at + Mode) != BytesByEvent) Complain($"channel {channel} started with DMTMD {Hex(Value(at + Mode), 4)}, which is not modelled");
                    return v & 1;
                });
                Define(at + Status, "DMSTS", 1, write: (v, old) => v & old);
            }
            Define(Start, "DMAST", 1, write: (v, old) => v & 1);
        }

        // 0: RXI, 1: TXI.
        public void OnGPIO(int number, bool value)
        {
            if(!value) return;
            asked[number] = true;
            if(serving) return; // whoever serves sees it
            serving = true;
            while(asked[Receive] || asked[Send])
            {
                if(asked[Receive])
                {
                    asked[Receive] = false;
                    while(Running(Receive) && (machine.SystemBus.ReadByte(SciStatus) & DataFull) != 0) Transfer(Receive);
                }
                if(!asked[Send]) continue;
                asked[Send] = false;
                if(Running(Send)) Transfer(Send);
            }
            serving = false;
        }

        public override void Reset()
        {
            base.Reset();
            asked[Receive] = asked[Send] = serving = false;
        }

        // The main loop looks here for input.
        protected override bool MeansActivity => false;

        private bool Running(int channel) => Value(Start) == 1 && Value(channel * Stride + Enable) == 1;

        private uint? Stopped(int channel, string name, uint value)
        {
            if(Running(channel)) Complain($"{name} of channel {channel} written while it runs");
            return value;
        }

        private void Transfer(int channel)
        {
            var at = channel * Stride;
            var from = Value(at + Source);
            var to = Value(at + Target);
            var addresses = Value(at + Addresses);
            Set(at + Source, Next(from, addresses >> 8));
            Set(at + Target, Next(to, addresses & 0xFF));
            var count = Value(at + Count);
            if(count > 0) Set(at + Count, count - 1);
            if(count == 1) Set(at + Enable, 0);
            machine.SystemBus.WriteByte(to, machine.SystemBus.ReadByte(from));
        }

        // The address after one byte; half of DMAMD says whether it rises, and in which area.
        private static uint Next(uint address, uint side)
        {
            if(side >> 6 != Rising) return address;
            var area = (1u << (int)(side & 0x1F)) - 1;
            return area == 0 ? address + 1 : (address & ~area) | ((address + 1) & area);
        }

        private const int Receive = 0;
        private const int Send = 1;
        private const int Stride = 0x40;
        private const int Source = 0x00;
        private const int Target = 0x04;
        private const int Count = 0x08;
        private const int Mode = 0x10;
        private const int Interrupts = 0x13;
        private const int Addresses = 0x14;
        private const int Enable = 0x1C;
        private const int Status = 0x1E;
        private const int Start = 0x200;
        private const uint BytesByEvent = 0x2001;
        private const uint Rising = 2;
        private const uint SciStatus = 0x40118004;
        private const int DataFull = 0x40;
        private readonly bool[] asked = new bool[2];
        private bool serving;
        private readonly IMachine machine;
    }
}
