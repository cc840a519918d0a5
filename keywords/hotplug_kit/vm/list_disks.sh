# Runs in the guest as a POSIX shell script, read from the command line. For each line on standard input, prints
#   host PCI-PATH                        each SCSI host, by its place in sysfs
#   device PATH                          each SCSI device of a host, also one whose removal has not ended
#   scsi HCTL|PATH|TYPE|STATE|NODE|SECTORS   each SCSI device; of its serial, in the lines after it:
#   page1 TEXT, page2 TEXT               VPD page 0x80 as two reads give it
#   inquiry TEXT                         what sg_inq says, where the kernel keeps no such page
#   node NAME                            each /dev/sd*
#   link NAME                            each link in /dev/disk/by-path
#   ==end==
# Shell built-ins only, so that asking often costs the guest little. VPD page 0x80 starts with the bytes 00 80 00 and
# the length, which may be a newline: hence two reads.
export LC_ALL=C
get() { value=; [ -r "$1" ] && IFS= read -r value 2>/dev/null < "$1"; }
while IFS= read -r request; do
    for place in /sys/class/scsi_host/*; do
        cd -P "$place/device" 2>/dev/null || continue
        echo "host $PWD"
        for device in target*/*:*:*:*; do
            [ -d "$device" ] && echo "device $PWD/$device"
        done
    done
    for place in /sys/class/scsi_device/*; do
        cd -P "$place/device" 2>/dev/null || continue
        get type; type=$value
        get state; state=$value
        node=; sectors=; first=; second=; inquiry=
        for block in block/*; do
            [ -d "$block" ] && node=${block#block/} && get "$block/size" && sectors=$value
        done
        if [ -r vpd_pg80 ]; then
            { IFS= read -r first; IFS= read -r second; } 2>/dev/null < vpd_pg80
        elif [ -n "$node" ]; then
            inquiry=$(sg_inq -p sn "/dev/$node" 2>/dev/null)
            inquiry=${inquiry##*: }
        fi
        echo "scsi ${place##*/}|$PWD|$type|$state|$node|$sectors"
        printf 'page1 %s\npage2 %s\ninquiry %s\n' "$first" "$second" "$inquiry"
    done
    for node in /dev/sd*; do
        [ -b "$node" ] && echo "node ${node#/dev/}"
    done
    for link in /dev/disk/by-path/*; do
        [ -L "$link" ] && echo "link ${link##*/}"
    done
    cd /
    echo "==end=="
done
