*** Settings ***
Documentation       Hot detach: disks are removed from controllers that running VMs use, with and without fio on them.
...
...                 The plan's prerequisites: run vhost with 8 empty controllers, prepare 16 NVMe disks, run VMs, first
...                 with ctrlr-5 and ctrlr-6, second with ctrlr-7 and ctrlr-8. Each of these controllers begins with two
...                 disks.
...                 Each case brings about what the cases before it would have left: each runs alone, in any order.

Resource            ../resources/plan.resource

Suite Setup         Run VMs Of The Plan    hotdetach    first=ctrlr-5 and ctrlr-6    second=ctrlr-7 and ctrlr-8
Suite Teardown      Shut Down VMs Of Suite
Test Teardown       End The Case

Test Tags           hotdetach


*** Test Cases ***
Test Case 1: Detach A Disk During Fio On All Disks
    [Documentation]    The plan:
    ...
    ...    - 1. Run fio on all devices
    ...    - 2. Detatch NVMe from Ctrl5 during fio
    ...    - 3. Check vhost or VMs did not crash
    ...    - 4. Check that detatched device is gone from VM
    ...    - 5. Check that fio job run on detached device stopped and failed
    ...
    ...    The other jobs of the same fio must not have failed either: fio status is checked after every run.
    [Setup]    Bring About    Ctrlr 5=2    Ctrlr 6=2    Ctrlr 7=2    Ctrlr 8=2
    Run Fio On All Devices    in_background=True
    Detach NVMe From Ctrlr During Fio    5
    Check Vhost Or VMs Did Not Crash
    Check That Detached Device Is Gone From VM
    Check That Fio Job Run On Detached Device Stopped And Failed
    Check That Other Fio Jobs Did Not Fail

Test Case 2: Detach The Only Disk With Fio
    [Documentation]    The plan:
    ...
    ...    - 1. Attach NVMe to Ctrlr 5
    ...    - 2. Run fio on 1 device from Ctrl 5
    ...    - 3. Detatch NVMe from Ctrl5 during fio traffic
    ...    - 4. Check vhost or VMs did not crash
    ...    - 5. Check that fio job run on detached device stopped and failed
    ...    - 6. Check that detatched device is gone from VM
    [Setup]    Bring About    Ctrlr 5=1    Ctrlr 6=2    Ctrlr 7=2    Ctrlr 8=2
    Attach NVMe To Ctrlr    5
    Run Fio On 1 Device From Ctrlr    5    in_background=True
    Detach NVMe From Ctrlr During Fio Traffic    5
    Check Vhost Or VMs Did Not Crash
    Check That Fio Job Run On Detached Device Stopped And Failed
    Check That Detached Device Is Gone From VM

Test Case 3: Detach An Idle Disk During Fio On The Others
    [Documentation]    The plan:
    ...
    ...    - 1. Attach NVMe to Ctrlr 5
    ...    - 2. Run fio with integrity on all devices, except one
    ...    - 3. Detatch NVMe without traffic during fio running on other devices
    ...    - 4. Check vhost or VMs did not crash
    ...    - 5. Check that fio jobs did not fail
    ...    - 6. Check that detatched device is gone from VM
    [Setup]    Bring About    Ctrlr 5=1    Ctrlr 6=2    Ctrlr 7=2    Ctrlr 8=2
    Attach NVMe To Ctrlr    5
    Run Fio With Integrity On All Devices Except One    in_background=True
    Detach NVMe Without Traffic During Fio Running On Other Devices
    Check Vhost Or VMs Did Not Crash
    Check That Fio Jobs Did Not Fail
    Check That Detached Device Is Gone From VM

Test Case 4: Detach A Disk During Separate Fio Runs, Then Reboot
    [Documentation]    The plan:
    ...
    ...    - 1. Attach NVMe to Ctrlr 5
    ...    - 2. Run fio on 1 device from Ctrl 5
    ...    - 3. Run separate fio with integrity on all other devices (all VMs)
    ...    - 4. Detatch NVMe from Ctrl1 during fio traffic
    ...    - 5. Check vhost or VMs did not crash
    ...    - 6. Check that fio job run on detached device stopped and failed
    ...    - 7. Check that other fio jobs did not fail
    ...    - 8. Check that detatched device is gone from VM
    ...    - 9. Reboot VMs
    ...    - 10. Check that detatched device is gone from VM
    ...    - 11. Check that all other devices are in place
    ...    - 12. Run fio integrity on all remianing devices
    ...
    ...    "Ctrl1" in step 4 is read as Ctrl5: step 2 starts the traffic there, step 6 expects its failure, and
    ...    these VMs have no Ctrl1.
    [Tags]    reboot
    [Setup]    Bring About    Ctrlr 5=1    Ctrlr 6=2    Ctrlr 7=2    Ctrlr 8=2
    Attach NVMe To Ctrlr    5
    Run Fio On 1 Device From Ctrlr    5    in_background=True
    Run Separate Fio With Integrity On All Other Devices    in_background=True
    Detach NVMe From Ctrlr During Fio Traffic    5
    Check Vhost Or VMs Did Not Crash
    Check That Fio Job Run On Detached Device Stopped And Failed
    Check That Other Fio Jobs Did Not Fail
    Check That Detached Device Is Gone From VM
    Reboot VMs
    Check That Detached Device Is Gone From VM
    Check That All Other Devices Are In Place
    Run Fio Integrity On All Remaining Devices
