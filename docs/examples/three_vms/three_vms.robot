*** Settings ***
Documentation       Three VMs with one controller each; disks come and go in bursts.
...
...                 Run it with its test bed: `robot --variablefile three_vms.yaml three_vms.robot`.

Resource            ../../../resources/steps.resource

Suite Setup         Run VMs Of Suite    three_vms
Suite Teardown      Shut Down VMs Of Suite
Test Teardown       End The Case


*** Test Cases ***
Two VMs Lose A Disk At Once
    [Documentation]    fio runs on all disks of three VMs. Two VMs lose a disk at once, the third one loses none.
    [Setup]    Bring About    naa.mail=2    naa.web=1    naa.database=1
    ${disks_of_mail}=    Get Disks Of Ctrlr    naa.mail
    ${disks_of_web}=    Get Disks Of Ctrlr    naa.web
    Run Fio On All Devices    in_background=True
    Detach Disks During Fio    ${disks_of_mail}[0]    ${disks_of_web}[0]
    Check Vhost Or VMs Did Not Crash
    Check That Fio Job Run On Detached Device Stopped And Failed
    Check That Other Fio Jobs Did Not Fail
    Check That Detached Device Is Gone From VM
    Run Fio On All Devices

One VM Loses All Its Disks At Once
    [Documentation]    Both disks of a controller go at once, while fio runs on them and in another VM.
    [Setup]    Bring About    naa.mail=2    naa.database=1
    ${disks}=    Get Disks Of Ctrlr    naa.mail
    Run Fio On All Devices    in_background=True
    Detach Disks During Fio    @{disks}
    Check Vhost Or VMs Did Not Crash
    Check That Fio Job Run On Detached Device Stopped And Failed
    Check That Other Fio Jobs Did Not Fail
    Check That Detached Device Is Gone From VM

Three Disks Arrive At Once
    [Documentation]    While fio runs in one VM, another one gets three disks at once.
    [Setup]    Bring About    naa.mail=1
    Run Fio On All Devices    in_background=True
    Attach Disks During Fio    naa.database    count=3
    Run Fio On All Devices    runtime=5s

A Disk Goes While Its VM Reboots
    [Documentation]    The disk is detached when the new kernel starts and drives no controller yet.
    [Setup]    Bring About    naa.web=2
    ${disks}=    Get Disks Of Ctrlr    naa.web
    Reboot Vm    web
    Wait Until Reboot Reaches    web    kernel
    Detach Disks    ${disks}[0]
    Wait Until VMs Have Rebooted    web
    Check That Detached Device Is Gone From VM
    Run Fio On All Devices
