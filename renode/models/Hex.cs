// Intel HEX, read as strictly as host/image/hex.ts does: every record whole, each byte once, an end and nothing behind it.
using System;
using System.Collections.Generic;
using System.IO;
using Antmicro.Renode.Exceptions;

namespace Antmicro.Renode.Peripherals.Mbs
{
    public static class IntelHex
    {
        // Contiguous pieces in the order of the file.
        public static List<(uint Address, byte[] Bytes)> Read(string path)
        {
            var pieces = new List<(uint Address, List<byte> Bytes)>();
            var upper = 0u;
            var ended = false;
            var number = 0;
            foreach(var line in File.ReadLines(path))
            {
                number++;
                if(ended) throw Refuse($"{path}:{number}", "something follows the end record");
                var record = Record($"{path}:{number}", line);
                var payload = (uint)(record.Length > 5 ? record[4] << 8 | record[5] : 0);
                switch(record[3])
                {
                case 0:
                    var address = upper + (uint)(record[1] << 8 | record[2]);
                    if(pieces.Count == 0 || pieces[^1].Address + pieces[^1].Bytes.Count != address) pieces.Add((address, new List<byte>()));
                    pieces[^1].Bytes.AddRange(new ArraySegment<byte>(record, 4, record[0]));
                    break;
                case 1:
                    ended = true;
                    break;
                case 2:
                    upper = payload << 4;
                    break;
                case 4:
                    upper = payload << 16;
                    break;
                default:
                    break; // a start address; the vector table says where to start
                }
            }
            if(!ended) throw Refuse(path, "the end record is missing");
            var sorted = new List<(uint Address, List<byte> Bytes)>(pieces);
            sorted.Sort((a, b) => a.Address.CompareTo(b.Address));
            for(var i = 1; i < sorted.Count; i++)
                if(sorted[i - 1].Address + (ulong)sorted[i - 1].Bytes.Count > sorted[i].Address)
                    throw Refuse(path, $"records overlap at 0x{sorted[i].Address:x8}");
            return pieces.ConvertAll(piece => (piece.Address, piece.Bytes.ToArray()));
        }

        private static byte[] Record(string where, string line)
        {
            var record = Array.Empty<byte>();
            try
            {
                if(line.StartsWith(':')) record = Convert.FromHexString(line.Substring(1));
            }
            catch(FormatException)
            {
                // refused below
            }
            var sum = 0;
            foreach(var one in record) sum += one;
            if(record.Length < 5 || record.Length != record[0] + 5 || (sum & 0xFF) != 0) throw Refuse(where, "no record of Intel HEX");
            var type = record[3];
            if(type >= Lengths.Length) throw Refuse(where, $"there is no record type {type}");
            if(type == 0 ? record[0] == 0 : record[0] != Lengths[type]) throw Refuse(where, $"a record of type {type} has {record[0]} bytes");
            return record;
        }

        private static RecoverableException Refuse(string where, string what)
        {
            return new RecoverableException($"{where}: {what}. Nothing was loaded.");
        }

        // Payload of each type; data has any.
        private static readonly int[] Lengths = { -1, 0, 2, 4, 2, 4 };
    }
}
